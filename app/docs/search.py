"""The search of the guide: the sections that have the words of a query, by relevance. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from app.docs.guide import Section

LISTS = ("settings", "cli", "client-configurations")  # pages that name everything
COMMON_WORDS = frozenset(
    (
        *("a", "an", "and", "are", "can", "do", "does", "for", "how", "i", "in", "is", "it", "my"),
        *("of", "on", "or", "the", "to", "what", "with"),
    )
)
# Words of other fields, or of another form, for those of the guide.
SYNONYMS = {
    "spend": ("spend", "cost", "budget"),
    "spending": ("spend", "cost", "budget"),
    "unknown": ("unknown", "without a"),
    "slow": ("slow", "long", "later", "timeout"),
    "down": ("away", "without redis", "stopped"),
    "stops": ("stop", "break", "broke", "incomplete"),
    "interrupted": ("break", "broke", "incomplete"),
    "user": ("user", "key"),
    "rescued": ("rescue",),
    "exhausted": ("exhausted", "used up", "usage limit"),
    "sso": ("single sign-on",),
}
MAX_QUERY_CHARS = 100
MAX_HITS = 30
EXCERPT_CHARS = 90  # on each side of the word that is found
TITLE_WORDS = 3.0  # a title of so many words counts twice a text, a shorter one more
TYPICAL_CHARS = 1500  # of a section's text
LIST_WEIGHT = 0.3
OPENING_CHARS = 20  # at the beginning of a text, where words weigh more
MIN_PLURAL = 4  # characters, with a space
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that has words of a query; `excerpt` is (text, whether it is a word of the query)."""

    section: Section
    excerpt: tuple[tuple[str, bool], ...]


def search_sections(query: str, sections: Iterable[Section]) -> list[Hit]:
    """
    Return the sections that have words of *query*, the most relevant first: see `_relevance`.

    A word is found as one of its SYNONYMS, too, and at the beginning of a longer word. Common words are
    ignored if there are others. Sections with less than half of the words are left out if others have more.
    """
    given = query[:MAX_QUERY_CHARS].casefold().split()
    words = [word for word in given if word not in COMMON_WORDS] or given
    variants = [SYNONYMS.get(word, (word,)) for word in words]
    patterns = [pattern for each in variants if (pattern := _pattern(each))]
    known = list(sections)
    counts = [[_count(pattern, section) for pattern in patterns] for section in known]
    rarities = [
        math.log(1 + len(known) / max(1, sum(any(each) for each in column)))
        for column in zip(*counts, strict=True)
    ]
    matching = [(sum(map(any, row)), row, section) for row, section in zip(counts, known, strict=True)]
    most = max((matched for matched, *_ in matching), default=0)
    found = [
        (_relevance(section, row, rarities, patterns), section)
        for matched, row, section in matching
        if matched >= max(1, min(most, (len(patterns) + 1) // 2))
    ]
    found.sort(key=lambda one: -one[0])
    by_rarity = sorted(zip(rarities, patterns, strict=True), key=lambda one: -one[0])
    shown = [re.compile("|".join(map(_spelt, pattern)), re.IGNORECASE) for _, pattern in by_rarity]
    return [Hit(section, _excerpt(section.text, shown)) for _, section in found[:MAX_HITS]]


def _pattern(variants: Sequence[str]) -> tuple[str, ...]:
    """
    Return texts of which a `_plain` text with one of *variants* has at least one.

    They begin at the beginning of a word; that of a plural is also found as the singular.
    """
    plain = [one for variant in variants if (one := _plain(variant).rstrip())]
    return (*plain, *(f"{one[:-1]} " for one in plain if len(one) > MIN_PLURAL and one.endswith("s")))


def _plain(text: str) -> str:
    """Return the words of *text* in lower case, with a space before and after each."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


@cache
def _plain_section(section: Section) -> tuple[str, str]:
    """Return the `_plain` title and text of *section*."""
    return _plain(section.title), _plain(section.text)


def _count(pattern: Sequence[str], section: Section) -> tuple[int, int]:
    """Return how often a word is in the title, and in the text, of *section*."""
    title, text = _plain_section(section)
    return sum(map(title.count, pattern)), sum(map(text.count, pattern))


def _relevance(
    section: Section,
    counts: Sequence[tuple[int, int]],
    rarities: Sequence[float],
    patterns: Sequence[Sequence[str]],
) -> float:
    """
    Return the relevance of *section*, which has each word as often as *counts* states, in title and text.

    Rare words weigh more than frequent ones; a word in the title more than any number in the text, more in a
    short title, and less at the beginning of the text; repeated words in a short text more than in a long
    one. Words next to each other weigh twice, sections that lack words less, and so do lists and bare
    headings.
    """
    title, text = _plain_section(section)
    opening = text[:OPENING_CHARS]
    room = max(1.0, len(text) / TYPICAL_CHARS)
    in_title = 1 + TITLE_WORDS / title.count(" ")
    total = sum(
        rarity * ((in_title if titled else any(one in opening for one in pattern)) + times / (times + room))
        for (titled, times), rarity, pattern in zip(counts, rarities, patterns, strict=True)
    )
    phrase = "".join(pattern[0] for pattern in patterns)
    total *= 2 if len(patterns) > 1 and (phrase in title or phrase in text) else 1
    total *= sum(map(any, counts)) / len(counts)
    return total * (LIST_WEIGHT if section.page in LISTS or not section.text else 1)


def _spelt(plain: str) -> str:
    """Return the regular expression of `_plain` words as a text has them, from the beginning of a word."""
    words = r"[\W_]+".join(map(re.escape, plain.split()))
    return rf"(?<![^\W_]){words}" + (r"(?![^\W_])" if plain.endswith(" ") else "")


def _excerpt(text: str, words: Sequence[re.Pattern[str]]) -> tuple[tuple[str, bool], ...]:
    """Return the part of *text* around the first of *words* that it has, the rarest."""
    first = next((found.start() for word in words if (found := word.search(text))), 0)
    begin, end = max(0, first - EXCERPT_CHARS), first + EXCERPT_CHARS
    shown = ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")
    pieces = re.split(f"({'|'.join(word.pattern for word in words)})", shown, flags=re.IGNORECASE)
    return tuple((piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece)
