"""
The pages of the guide, as HTML generated from Markdown, and the sections that a search finds.

Pages link to each other as files (`keys.md#teams`), which forges need; in the HTML, links are addresses under
a root. Anchors of headings are those of GitHub.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from app.formatting import name_parts

if TYPE_CHECKING:
    from markdown_it.token import Token

FOLDER = Path(__file__).parent
# The order of the pages, under the headings of the table of contents.
GROUPS = {
    "First steps": ("getting-started", "clients", "client-configurations"),
    "Set up": ("accounts", "keys", "model-routes", "setup-files"),
    "Operate": ("deploy", "administration", "usage", "monitoring", "alerts", "security", "sizing"),
    "Reference": ("endpoints", "reliability", "errors", "settings", "cli", "comparison"),
}
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
    "slow": ("slow", "long", "later"),
    "down": ("away", "without redis", "stopped"),
    "interrupted": ("break", "broke", "cut"),
    "rescued": ("rescue",),
    "failover": ("failover", "another account"),
}
MAX_QUERY_CHARS = 100
MAX_HITS = 30
EXCERPT_CHARS = 90  # on each side of the first word that is found
MAX_UNBROKEN = 16  # characters of inline code that stay on one line
_FILE = re.compile(r"([\w-]+)\.md(#.*)?")


@dataclass(frozen=True, slots=True)
class Section:
    """The text from one heading to the next, without markup."""

    page: str
    title: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page; its first section is that of the title."""

    name: str
    title: str
    html: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that has words of a query; `excerpt` is (text, whether it is a word of the query)."""

    section: Section
    excerpt: tuple[tuple[str, bool], ...]


@cache
def pages(root: str) -> dict[str, Page]:
    """Return all pages by name, in order; their links begin with *root*, such as "/docs"."""
    names = (name for group in GROUPS.values() for name in group)
    return {name: _page(name, (FOLDER / f"{name}.md").read_text("utf-8"), root) for name in names}


def search(query: str, sections: Iterator[Section]) -> list[Hit]:
    """
    Return the sections that have words of *query*, the most relevant first: those with the most words, then
    see `_rank`. Those with less than half of the words are left out if others have more.

    A word is found as one of its SYNONYMS, too. Common words are ignored if there are others.
    """
    given = query[:MAX_QUERY_CHARS].casefold().split()
    words = [word for word in given if word not in COMMON_WORDS] or given
    if not words:
        return []
    variants = [SYNONYMS.get(word, (word,)) for word in words]
    found: list[tuple[int, tuple[int, ...], int, Section]] = []
    for section in sections:
        title, text = section.title.casefold(), section.text.casefold()
        matched = [word for each in variants if (word := _first(each, title, text))]
        if matched:
            rank = _rank(section.page, title, text, matched)
            found.append((len(words) - len(matched), rank, len(found), section))
    found.sort()
    most_missing = max(len(words) // 2, found[0][0]) if found else 0
    hits = [section for missing, *_, section in found[:MAX_HITS] if missing <= most_missing]
    shown = [variant for each in variants for variant in each]
    return [Hit(section, _excerpt(section.text, shown)) for section in hits]


def _first(variants: Sequence[str], title: str, text: str) -> str:
    """Return the first of *variants* that is in the *title*, else in the *text*; '' if there is none."""
    return next((each for part in (title, text) for each in variants if each in part), "")


def _rank(page: str, title: str, text: str, words: Sequence[str]) -> tuple[int, ...]:
    """
    Return the rank of a section with *words*: the lowest is the most relevant.

    Words in the heading count before anything else; then explanations come before lists of names and bare
    headings, then words next to each other, and words at the beginning of the heading or the text.
    """
    in_title = [at for word in words if (at := title.find(word)) >= 0]
    in_text = [at for word in words if (at := text.find(word)) >= 0]
    return (
        -len(in_title),
        page in LISTS or not text,
        " ".join(words) not in title,
        min(in_title, default=0),
        " ".join(words) not in text,
        min(in_text, default=0),
    )


def anchor_of(heading: str) -> str:
    """Return the anchor of *heading*, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")


def _page(name: str, markdown: str, root: str) -> Page:
    from markdown_it import MarkdownIt  # imported here: used once, by few processes

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("code_inline", _render_code)
    tokens = parser.parse(markdown)
    sections = tuple(_sections(name, tokens))
    for token in _all(tokens):
        if token.type == "link_open" and (linked := _FILE.fullmatch(str(token.attrs["href"]))):
            token.attrs["href"] = f"{root}/{linked[1]}{linked[2] or ''}"
        elif token.type == "table_open":
            token.attrs["tabindex"] = "0"  # makes tables scroll, also by keyboard, like code
    html: str = parser.renderer.render(tokens, parser.options, {})
    html = html.replace("<pre>", '<pre tabindex="0">').replace("<th></th>", "<td></td>")  # not a heading
    return Page(name, sections[0].title, html, sections)


def _render_code(_: object, tokens: Sequence[Token], index: int, *__: object) -> str:
    """Return inline code as HTML, in which a long name may break between its parts only."""
    text = tokens[index].content
    parts = name_parts(text) if len(text) > MAX_UNBROKEN else [text]
    return f"<code>{'<wbr>'.join(map(escape, parts))}</code>"


def _sections(name: str, tokens: Sequence[Token]) -> Iterator[Section]:
    """Yield the sections of *tokens*, and give anchors to their headings."""
    title, anchor, texts = "", "", list[str]()
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            if title:
                yield Section(name, title, anchor, " ".join(texts))
            title, texts = _text(tokens[index + 1]), []
            token.attrs["id"] = anchor = anchor_of(title)
        elif token.type == "inline" and tokens[index - 1].type != "heading_open":
            texts.append(_text(token))
        elif token.type == "fence":
            texts.append(token.content)
    yield Section(name, title, anchor, " ".join(texts))


def _text(inline: Token) -> str:
    parts = inline.children or ()
    return "".join(" " if part.type == "softbreak" else part.content for part in parts)


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


def _excerpt(text: str, words: list[str]) -> tuple[tuple[str, bool], ...]:
    lowered = text.casefold()
    first = min((at for word in words if (at := lowered.find(word)) >= 0), default=0)
    begin, end = max(0, first - EXCERPT_CHARS), first + EXCERPT_CHARS
    shown = ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")
    pattern = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    pieces = re.split(f"({pattern})", shown, flags=re.IGNORECASE)
    return tuple((piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece)
