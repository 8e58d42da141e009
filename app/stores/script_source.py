"""
Join a Lua script: the definitions that an operation uses, followed by the operation.

Redis runs the complete text of a script at each call, so an unused definition would cost a closure or a
string; and Lua allows 200 local variables per function.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

RARE = " -- rare"  # ends the first line of a function that few runs of a script call
_BEGINNING = re.compile(r"^(?=local )", re.MULTILINE)
_NAMES = re.compile(r"local (?:function )?(\w+(?:, \w+)*)")
_COMMENT = re.compile(r"(?:^|\s)--.*", re.MULTILINE)
_WORD = re.compile(r"(?<![\w\])]\.)\b[A-Za-z_]\w*")  # a word, except the name of a field after a dot


def join_script(parts: Iterable[str], operation: str) -> str:
    """
    Return the definitions in *parts* that *operation* uses, directly or indirectly, then its own text.

    A part consists of definitions: each begins with `local` in the first column, ends where the next one
    begins, and uses only earlier ones. What only functions marked as rare use is defined inside each of them:
    its closures are made when such a function is called, and not whenever the script runs.
    """
    return _join([each for part in parts for each in definitions(part)], operation)


def top_level_names(parts: Iterable[str], operation: str) -> list[str]:
    """Return the top-level local names that the joined script takes from *parts*."""
    used = _used_of([each for part in parts for each in definitions(part)], operation)
    return [name for each in used for name in names_of(each)]


def _join(available: list[str], user: str) -> str:
    used = _used_of(available, user)
    others = [each for each in available if each not in used]
    return "".join(_with_own(each, others) if is_rare(each) else each for each in used) + user


def _used_of(available: list[str], user: str) -> list[str]:
    """Return those of *available* that *user* uses, directly or through others that are not rare."""
    needed, used = _words(user), []
    for definition in reversed(available):
        if needed.intersection(names_of(definition)):
            needed |= set() if is_rare(definition) else _words(definition)
            used.append(definition)
    return used[::-1]


def _with_own(function: str, available: list[str]) -> str:
    first, rest = function.split("\n", 1)
    return f"{first}\n{_join(available, rest)}"


def definitions(part: str) -> list[str]:
    """Return the definitions of *part*; each is followed by the comment that precedes the next one."""
    return _BEGINNING.split(f"{part}\n")[1:]


def is_rare(definition: str) -> bool:
    """Return whether *definition* is marked as a function that few runs of a script call."""
    return definition.split("\n", 1)[0].endswith(RARE)


def names_of(definition: str) -> list[str]:
    """Return the local names that *definition* declares at its top level."""
    found = _NAMES.match(definition)
    return found[1].split(", ") if found else []


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_COMMENT.sub("", text)))
