"""Names in the store that are similar to one that is not there, for its error."""

from __future__ import annotations

from typing import Any

from app.suggestions import MAX_NAMES, suggestion


def suggest_field(client: Any, key: str, name: str) -> str:
    """Return the suggestion for *name* by the fields of the hash *key*, about MAX_NAMES at most."""
    _, fields = client.hscan(key, count=MAX_NAMES)
    return suggestion(name, sorted(fields))


def suggest_member(client: Any, key: str, name: str) -> str:
    """Return the suggestion for *name* by the members of the set *key*, as `suggest_field` does."""
    _, members = client.sscan(key, count=MAX_NAMES)
    return suggestion(name, sorted(members))
