"""Recognize conversations of text by passes that run in C: they have many messages, most of one form."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

_role, _content = itemgetter("role"), itemgetter("content")


def roles_of_plain(items: list[Any]) -> set[Any] | None:
    """
    Return the roles of *items* if each is an object of only a role and a string as `content`; else None.

    A role may have any hashable value. None only means that the items have to be looked at one by one.
    """
    try:
        if set(map(len, items)) == {2} and set(map(type, items)) == {dict}:
            return set(map(_role, items)) if set(map(type, map(_content, items))) == {str} else None
    except (KeyError, TypeError):  # an item without length, another field, a role that is an array or object
        pass
    return None
