"""
Put a Lua script together: an operation behind those definitions of its parts that it uses.

Redis runs all of a script's text with each call, so a definition costs a closure or a string though
nothing uses it; and Lua allows a script 200 local variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_BEGINNING = re.compile(r"^(?=local )", re.MULTILINE)
_NAMES = re.compile(r"local (?:function )?(\w+(?:, \w+)*)")
_COMMENT = re.compile(r"(?:^|\s)--.*", re.MULTILINE)
_WORD = re.compile(r"(?<![\w\])]\.)\b[A-Za-z_]\w*")  # but for the name of a field


def put_together(parts: Iterable[str], operation: str) -> str:
    """
    Return the text of *operation* behind what it uses of *parts*, itself or through other definitions.

    A part is nothing but definitions: each begins with `local` in the first column, ends where the next
    begins, and uses only what stands before it.
    """
    wanted, used = _words(operation), [operation]
    for definition in reversed([each for part in parts for each in definitions(part)]):
        if wanted.intersection(names_of(definition)):
            wanted |= _words(definition)
            used.append(definition)
    return "".join(reversed(used))


def definitions(part: str) -> list[str]:
    """Return the definitions that *part* consists of, each with the comment of the next one behind it."""
    return _BEGINNING.split(f"{part}\n")[1:]


def names_of(definition: str) -> list[str]:
    """Return the local names that *definition* declares at its top level."""
    found = _NAMES.match(definition)
    return found[1].split(", ") if found else []


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_COMMENT.sub("", text)))
