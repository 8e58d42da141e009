"""Suggest the name that was probably meant, by the names there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MAX_NAMES = 1_000  # that are compared, so that a misspelt name among many holds up no other request
MAX_CHARS = 64  # of a name that is compared, and shown
MAX_SHOWN = 3
MIN_PREFIX_CHARS = 3  # from which on the beginning of a name suggests it
MAX_ERRORS = 3


def suggestion(name: str, names: Iterable[str]) -> str:
    """
    Return `. Did you mean 'ann'?`, to be appended to an error about *name*, by similar ones among *names*.

    '' where none is similar: each three letters may have one error, MAX_ERRORS in all, or the name is the
    beginning of another; upper and lower case are the same. Only the first MAX_NAMES of *names* are compared.
    """
    given = name[:MAX_CHARS].lower()
    compared = (known for known in islice(names, MAX_NAMES) if known != name and len(known) <= MAX_CHARS)
    known_names = {known.lower(): known for known in compared}
    similar = get_close_matches(given, known_names, MAX_SHOWN, _min_similarity(len(given)))
    if len(given) >= MIN_PREFIX_CHARS:
        similar += sorted(known for known in known_names if known.startswith(given) and known not in similar)
    shown = " or ".join(f"'{known_names[known]}'" for known in similar[:MAX_SHOWN])
    return f". Did you mean {shown}?" if shown else ""


def _min_similarity(length: int) -> float:
    """Return the lowest ratio of difflib for a similar name: a replaced letter costs 1 / *length*."""
    errors = min(MAX_ERRORS, max(length // 3, int(length > 1)))
    return 0.99 - errors / max(1, length)
