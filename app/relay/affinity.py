"""
Fingerprints of the conversation a request belongs to, so that prompt caches are used.

A fingerprint is made of the first of these that the request has: prompt_cache_key, a session header, a
conversation id. Otherwise it is a hash of the start of the conversation, which later turns repeat unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

SESSION_HEADERS = ("session_id", "session-id", "thread-id", "x-session-id")
START_BYTES = 16384  # of the start that is hashed: enough to distinguish conversations
SMALL_BYTES = START_BYTES - 1024  # a body up to this size is shorter than START_BYTES in any form


class Headers(Protocol):
    """Request headers by name."""

    def get(self, name: str, /) -> str | None: ...


def affinity_of(key_id: str, body: Mapping[str, Any], headers: Headers, body_bytes: int | None = None) -> str:
    """Return the fingerprint of the conversation in *body*, of size *body_bytes*, scoped to the API key."""
    named = body.get("prompt_cache_key") or next(
        (value for name in SESSION_HEADERS if (value := headers.get(name))), None
    )
    if not isinstance(named, str):
        named = conversation_of(body)
    return _fingerprint(key_id, named.encode() if named else _stable_start(body, body_bytes))


def ownership_of(key_id: str, body: Mapping[str, Any]) -> str:
    """
    Return the fingerprint of state that one account owns, '' where the request refers to none.

    A conversation is stored by the account that first served it; other accounts do not know its id.
    """
    conversation = conversation_of(body)
    return _fingerprint(key_id, conversation.encode()) if conversation else ""


def conversation_of(body: Mapping[str, Any]) -> str:
    """Return the id of the conversation that *body* continues, given as text or in an object; '' if none."""
    conversation = body.get("conversation")
    if conversation is None:
        return ""
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    return conversation if isinstance(conversation, str) else ""


def conversation_holder_of(conversation: str) -> str:
    """
    Return the fingerprint under which the API key that holds *conversation* is stored, '' for none.

    It is the same for every key of a pool: the first key that continues a conversation holds it.
    """
    if not conversation:
        return ""
    return hashlib.blake2b(conversation.encode(), digest_size=16, person=b"conversation").hexdigest()


def _fingerprint(key_id: str, material: bytes) -> str:
    return hashlib.blake2b(material, key=key_id.encode(), digest_size=12).hexdigest()


def _stable_start(body: Mapping[str, Any], body_bytes: int | None) -> bytes:
    """Return the JSON of everything up to the first user turn: later turns repeat it unchanged."""
    turns = body.get("messages") or body.get("input") or ""
    if isinstance(turns, list):
        first_user = next(
            (n for n, turn in enumerate(turns) if isinstance(turn, dict) and turn.get("role") == "user"), 0
        )
        turns = turns[: first_user + 1]
    start: Any = [body.get("model"), body.get("instructions"), turns]
    if body_bytes is None or body_bytes > SMALL_BYTES:
        start, _ = _prefix(start, START_BYTES)
    return orjson.dumps(start, default=str)[:START_BYTES]


def _prefix(value: Any, limit: int) -> tuple[Any, int]:
    """
    Return the first *limit* bytes of *value*, roughly, and a lower bound of their number.

    So only that much is encoded, however long the conversation is.
    """
    if isinstance(value, str):
        return value[:limit], len(value[:limit])
    used = 1
    if isinstance(value, list):
        items = []
        for item in value:
            if used >= limit:
                break
            part, size = _prefix(item, limit - used)
            items.append(part)
            used += size
        return items, used
    if isinstance(value, dict):
        fields = {}
        for name, item in value.items():
            if used >= limit:
                break
            used += len(name[:limit])
            fields[name[:limit]], size = _prefix(item, max(1, limit - used))
            used += size
        return fields, used
    return value, used
