"""
Merge deltas with any keys.

Strings are appended, objects are merged, lists of indexed elements are merged by element, and
other lists are appended; for other values the last one that is not null wins. The rules are
those of OpenAI's SDKs, except that strings which some upstreams repeat are not appended.
"""

from __future__ import annotations

from typing import Any

# Servers send them once, or repeat them
_NEVER_CONTINUED = frozenset(("id", "type", "role", "name", "format"))
_APPENDED = frozenset(("annotations",))  # their `index`, if any, is not a list position


class _Text(list[str]):
    """The pieces of a growing string; joined once, at the end."""


def merge(into: dict[str, Any], delta: dict[str, Any]) -> None:
    """Merge *delta* into *into*, without sharing mutable values."""
    for key, new in delta.items():
        old = into.get(key)
        if new is None:
            into.setdefault(key, None)
        elif isinstance(new, str) and key not in _NEVER_CONTINUED:
            if not isinstance(old, _Text):
                old = into[key] = _Text()
            old.append(new)
        elif isinstance(new, dict):
            if not isinstance(old, dict):
                old = into[key] = {}
            merge(old, new)
        elif isinstance(new, list):
            if type(old) is not list:
                old = into[key] = []
            for element in new:
                _add_element(old, key, element)
        elif key not in _NEVER_CONTINUED or not old:
            into[key] = new


def text_length(value: Any) -> int:
    """Return how many characters of a string have been merged."""
    return sum(map(len, value)) if isinstance(value, _Text) else 0


def join_texts(value: Any) -> Any:
    """Return a copy of *value* with the pieces of every string joined."""
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {key: join_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [join_texts(inner) for inner in value]
    return value


def _add_element(items: list[Any], key: str, element: Any) -> None:
    if not isinstance(element, dict) or key in _APPENDED or not ("index" in element or key == "tool_calls"):
        items.append(element)
        return
    item = next((item for item in reversed(items) if _continues(item, element)), None)
    if item is None:
        items.append(item := {})
    merge(item, element)


def _continues(item: Any, element: dict[str, Any]) -> bool:
    """
    Return whether *element* continues *item*: it has the same index, and does not begin a new one.

    Gemini gives all parallel calls index 0, some servers give none: a name with a new id, or
    without an index, begins a call. OpenRouter gives one index to reasoning of two types.
    """
    if not isinstance(item, dict) or element.get("index") != item.get("index"):
        return False
    kinds = item.get("type"), element.get("type")
    if None not in kinds and kinds[0] != kinds[1]:
        return False
    call = element.get("function") or element.get("custom")
    if isinstance(call, dict) and call.get("name"):
        return bool(element["id"] == item.get("id") if element.get("id") else "index" in element)
    return True
