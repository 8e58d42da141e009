"""Suggest the name that was probably meant, by the names there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice

MAX_NAMES = 1_000  # that are compared, so that a misspelt name among many holds up no other request
MAX_CHARS = 64  # of a name that is compared, and shown
MAX_COMPARED_CHARS = 16_000  # of all names that difflib compares: at 64 characters each, up to 80 ms
MAX_SHOWN = 3
MIN_PREFIX_CHARS = 3  # from which on the beginning of a name suggests it
MAX_ERRORS = 3


def suggestion(name: str, names: Iterable[str]) -> str:
    """
    Return `. Did you mean 'ann'?`, to be appended to an error about *name*, by similar ones among *names*.

    '' where none is similar: each three letters may have one error, MAX_ERRORS in all, or the name is the
    beginning of another; upper and lower case are the same. Only the first MAX_NAMES of *names* are compared,
    and for errors only as many of these as have MAX_COMPARED_CHARS in all.
    """
    similar = _quoted(name, names)
    return f". Did you mean {similar}?" if similar else ""


def aside(name: str, names: Iterable[str]) -> str:
    """Return ` (did you mean 'ann'?)`, to be appended to part of a sentence, see `suggestion`."""
    similar = _quoted(name, names)
    return f" (did you mean {similar}?)" if similar else ""


def _quoted(name: str, names: Iterable[str]) -> str:
    """Return the similar ones of *names* as part of a sentence: `'ann' or 'anna'`."""
    return " or ".join(f"'{similar}'" for similar in similar_names(name, names))


def similar_names(name: str, names: Iterable[str]) -> list[str]:
    """Return the similar ones of *names*, the most similar first and at most MAX_SHOWN, see `suggestion`."""
    given = name[:MAX_CHARS].lower()
    compared = (known for known in islice(names, MAX_NAMES) if known != name and len(known) <= MAX_CHARS)
    known_names = {known.lower(): known for known in compared}
    similar = get_close_matches(given, _first_of(known_names), MAX_SHOWN, _min_similarity(len(given)))
    if len(given) >= MIN_PREFIX_CHARS:
        similar += sorted(known for known in known_names if known.startswith(given) and known not in similar)
    return [known_names[known] for known in similar[:MAX_SHOWN]]


def _first_of(names: Iterable[str]) -> Iterator[str]:
    """Yield the first of *names*, with at most MAX_COMPARED_CHARS in all."""
    chars = 0
    for name in names:
        chars += len(name)
        if chars > MAX_COMPARED_CHARS:
            return
        yield name


def _min_similarity(length: int) -> float:
    """Return the lowest ratio of difflib for a similar name: a replaced letter costs 1 / *length*."""
    errors = min(MAX_ERRORS, max(length // 3, int(length > 1)))
    return 0.99 - errors / max(1, length)
