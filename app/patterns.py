"""
Patterns for names of models: `*` stands for any text, also none, and everything else for itself.

The scripts of the store match in the same way (app/stores/lua/windows.lua, `matches`). Time grows with
the length of the name times that of the pattern at most: nothing is tried twice.
"""

from __future__ import annotations

from schemas.bounds import MAX_TEXT_CHARS

STAR = "*"
MAX_STARS = 8  # no name has more parts that are of interest


def matches(pattern: str, name: str) -> bool:
    """Return whether all of *name* is like *pattern*."""
    first, *middle = pattern.split(STAR)
    if not middle:
        return pattern == name
    last = middle.pop()
    end = len(name) - len(last)
    at = len(first)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def fault_of(pattern: str) -> str:
    """Return what is wrong with a new pattern, the end of a sentence that begins with it; '' for nothing."""
    if not 0 < len(pattern) <= MAX_TEXT_CHARS:
        return f"must have 1 to {MAX_TEXT_CHARS} characters"
    if pattern.count(STAR) > MAX_STARS:
        return f"must have at most {MAX_STARS} times '*'"
    return ""
