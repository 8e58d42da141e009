"""
Which conversation a request belongs to, so that prompt caches stay warm.

The first of: prompt_cache_key, a session header, a conversation id; else a hash of the
stable start of the conversation, which all its later turns share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

SESSION_HEADERS = ("session_id", "session-id", "thread-id", "x-session-id")
START_BYTES = 16384  # of the first messages: enough to tell conversations apart, cheap to hash
SMALL_BYTES = START_BYTES - 1024  # of a body that is shorter than that, however its input was given


class Headers(Protocol):
    """A dict of headers, or werkzeug's, whose look-up ignores case."""

    def get(self, name: str, /) -> str | None: ...


def affinity_of(key_id: str, body: Mapping[str, Any], headers: Headers, body_bytes: int | None = None) -> str:
    """Return the fingerprint of the conversation in *body*, of *body_bytes*; it is scoped to the API key."""
    named = body.get("prompt_cache_key") or next(
        (value for name in SESSION_HEADERS if (value := headers.get(name))), None
    )
    if not isinstance(named, str):
        named = conversation_of(body)
    return _fingerprint(key_id, named.encode() if named else _stable_start(body, body_bytes))


def ownership_of(key_id: str, body: Mapping[str, Any]) -> str:
    """
    Return the fingerprint of what only one account can know, '' where there is nothing such.

    A conversation lives at the account that first served it: elsewhere its id means nothing.
    """
    conversation = conversation_of(body)
    return _fingerprint(key_id, conversation.encode()) if conversation else ""


def conversation_of(body: Mapping[str, Any]) -> str:
    """Return the id of the conversation that *body* goes on with, '' if none: told alone or in an object."""
    conversation = body.get("conversation")
    if conversation is None:
        return ""
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    return conversation if isinstance(conversation, str) else ""


def holding_of(conversation: str) -> str:
    """
    Return the fingerprint under which the key that holds *conversation* is remembered, '' for none.

    It is the same for every key of a pool: the first that goes on with a conversation holds it.
    """
    if not conversation:
        return ""
    return hashlib.blake2b(conversation.encode(), digest_size=16, person=b"conversation").hexdigest()


def _fingerprint(key_id: str, material: bytes) -> str:
    return hashlib.blake2b(material, key=key_id.encode(), digest_size=12).hexdigest()


def _stable_start(body: Mapping[str, Any], body_bytes: int | None) -> bytes:
    """The instructions and everything up to the first user turn: later turns repeat it unchanged."""
    turns = body.get("messages") or body.get("input") or ""
    if isinstance(turns, list):
        first_user = next(
            (n for n, turn in enumerate(turns) if isinstance(turn, dict) and turn.get("role") == "user"), 0
        )
        turns = turns[: first_user + 1]
    start: Any = [body.get("model"), body.get("instructions"), turns]
    if body_bytes is None or body_bytes > SMALL_BYTES:
        start, _ = _beginning(start, START_BYTES)
    return orjson.dumps(start, default=str)[:START_BYTES]


def _beginning(value: Any, room: int) -> tuple[Any, int]:
    """
    Return *value* without what comes after its first *room* bytes of JSON, and at least how many those are.

    Only that much is encoded, however long the conversation is.
    """
    if isinstance(value, str):
        return value[:room], len(value[:room])
    used = 1
    if isinstance(value, list):
        items = []
        for item in value:
            if used >= room:
                break
            part, size = _beginning(item, room - used)
            items.append(part)
            used += size
        return items, used
    if isinstance(value, dict):
        fields = {}
        for name, item in value.items():
            if used >= room:
                break
            used += len(name[:room])
            fields[name[:room]], size = _beginning(item, max(1, room - used))
            used += size
        return fields, used
    return value, used
