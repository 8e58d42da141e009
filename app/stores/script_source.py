"""
Join a Lua script: the definitions that an operation uses, followed by the operation.

Redis runs the complete text of a script at each call, so an unused definition would cost a closure or a
string; and Lua allows 200 local variables per function.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

RARE = " -- rare"  # ends the first line of a function that few runs of a script call
_BEGINNING = re.compile(r"^(?=local )", re.MULTILINE)
_NAMES = re.compile(r"local (?:function )?(\w+(?:, \w+)*)")
_COMMENT = re.compile(r"(?:^|\s)--.*", re.MULTILINE)
_WORD = re.compile(r"(?<![\w\])]\.)\b[A-Za-z_]\w*")  # a word, except the name of a field after a dot


class Definition(NamedTuple):
    """
    A definition of a part, with the comment that precedes the next one.

    `names` are the local names that it declares at its top level, `words` all names that it contains.
    `is_rare` is whether it is marked as a function that few runs of a script call.
    """

    text: str
    names: list[str]
    words: frozenset[str]
    is_rare: bool


def definitions(part: str) -> list[Definition]:
    """
    Return the definitions of *part*.

    Each begins with `local` in the first column, ends where the next one begins, and uses only earlier ones.
    """
    return [_definition(text) for text in _BEGINNING.split(f"{part}\n")[1:]]


def join_script(parts: Iterable[Sequence[Definition]], operation: str) -> str:
    """
    Return the definitions in *parts* that *operation* uses, directly or indirectly, then its own text.

    What only functions marked as rare use is defined inside each of them: its closures are made when such a
    function is called, and not whenever the script runs.
    """
    return _join([each for part in parts for each in part], operation)


def top_level_names(parts: Iterable[Sequence[Definition]], operation: str) -> list[str]:
    """Return the top-level local names that the joined script takes from *parts*."""
    used = _used_of([each for part in parts for each in part], operation)
    return [name for each in used for name in each.names]


def _definition(text: str) -> Definition:
    names = found[1].split(", ") if (found := _NAMES.match(text)) else []
    return Definition(text, names, _words(text), text.split("\n", 1)[0].endswith(RARE))


def _join(available: Sequence[Definition], user: str) -> str:
    used = _used_of(available, user)
    others = [each for each in available if each not in used]
    return "".join(_with_own(each.text, others) if each.is_rare else each.text for each in used) + user


def _used_of(available: Sequence[Definition], user: str) -> list[Definition]:
    """Return those of *available* that *user* uses, directly or through others that are not rare."""
    needed, used = _words(user), []
    for definition in reversed(available):
        if not needed.isdisjoint(definition.names):
            needed |= frozenset() if definition.is_rare else definition.words
            used.append(definition)
    return used[::-1]


def _with_own(function: str, available: Sequence[Definition]) -> str:
    first, rest = function.split("\n", 1)
    return f"{first}\n{_join(available, rest)}"


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_COMMENT.sub("", text)))
