"""Suggest the name that was probably meant, by the names there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

MAX_NAMES = 1_000  # that are compared, so that a misspelt name among many holds up no other request
MAX_CHARS = 64  # of a name that is compared, and shown
MAX_SHOWN = 3
MIN_PREFIX_CHARS = 3  # from which on the beginning of a name suggests it
MAX_ERRORS = 3


def suggestion(name: str, names: Iterable[str]) -> str:
    """
    Return `. Did you mean 'ann'?`, to be appended to an error about *name*, by similar ones among *names*.

    '' where none is similar: each three letters may have one error, upper and lower case are the same. Only
    the first MAX_NAMES of *names* are compared.
    """
    given = name[:MAX_CHARS].lower()
    limit = min(MAX_ERRORS, max(len(given) // 3, int(len(given) > 1)))
    ranked: list[tuple[int, str]] = []
    for known in islice(names, MAX_NAMES):
        if known != name and len(known) <= MAX_CHARS:
            errors = _errors(given, known.lower(), limit)
            if errors <= limit:
                ranked.append((errors, known))
    if not ranked:
        return ""
    shown = " or ".join(f"'{known}'" for _, known in sorted(ranked)[:MAX_SHOWN])
    return f". Did you mean {shown}?"


def _errors(given: str, known: str, limit: int) -> int:
    """Return by how many letters they differ, limit + 1 for more; 1 where *known* begins with *given*."""
    if len(given) >= MIN_PREFIX_CHARS and known.startswith(given):
        return 1
    if abs(len(given) - len(known)) > limit:
        return limit + 1
    start = _shared_letters(given, known)  # what both begin and end with has no error
    given, known = given[start:], known[start:]
    end = _shared_letters(given[::-1], known[::-1])
    return _distance(given[: len(given) - end], known[: len(known) - end], limit)


def _shared_letters(first: str, second: str) -> int:
    """Return the number of letters that both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(first), len(second)))


def _distance(first: str, second: str, limit: int) -> int:
    """
    Return how many letters to insert, remove, replace or swap with the next; limit + 1 for more.

    It is the optimal string alignment distance, in a band of 2 * limit + 1 of each row.
    """
    too_many = limit + 1
    before: list[int] = []
    above = [min(column, too_many) for column in range(len(second) + 1)]
    for row, letter in enumerate(first, 1):
        current = [min(row, too_many)] + [too_many] * len(second)
        for column in range(max(1, row - limit), min(len(second), row + limit) + 1):
            is_other = letter != second[column - 1]
            best = min(above[column] + 1, current[column - 1] + 1, above[column - 1] + is_other)
            is_swapped = (
                row > 1
                and column > 1
                and letter == second[column - 2]
                and first[row - 2] == second[column - 1]
            )
            if is_swapped:
                best = min(best, before[column - 2] + 1)
            current[column] = best
        if min(current) > limit:
            return too_many
        before, above = above, current
    return min(above[-1], too_many)
