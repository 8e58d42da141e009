"""
Patterns for model names: `*` matches any text, also an empty one; other characters match themselves.

The Lua scripts match in the same way (app/stores/lua/windows.lua, `matches`). The time is at most
proportional to the length of the name times that of the pattern: there is no backtracking.
"""

from __future__ import annotations

from schemas.bounds import name_error

STAR = "*"
MAX_STARS = 8  # no model name needs more


def matches(pattern: str, name: str) -> bool:
    """Return whether *pattern* matches all of *name*."""
    first, *middle = pattern.split(STAR)
    if not middle:
        return pattern == name
    last = middle.pop()
    end = len(name) - len(last)
    start = len(first)
    if start > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in middle:
        position = name.find(part, start, end)
        if position < 0:
            return False
        start = position + len(part)
    return True


def pattern_error(pattern: str) -> str:
    """Return why a new *pattern* is invalid, as the predicate of a sentence; '' if it is valid."""
    if error := name_error(pattern):
        return error
    if pattern.count(STAR) > MAX_STARS:
        return f"must have at most {MAX_STARS} times '*'"
    return ""
