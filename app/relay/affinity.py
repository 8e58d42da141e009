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


class Headers(Protocol):
    """A dict of headers, or werkzeug's, whose look-up ignores case."""

    def get(self, name: str, /) -> str | None: ...


def affinity_of(key_id: str, body: Mapping[str, Any], headers: Headers) -> str:
    """Return the conversation's fingerprint; it is scoped to the API key."""
    named = body.get("prompt_cache_key") or next(
        (value for name in SESSION_HEADERS if (value := headers.get(name))), None
    )
    if not isinstance(named, str):
        named = _conversation(body)
    return _fingerprint(key_id, named.encode() if named else _stable_start(body))


def ownership_of(key_id: str, body: Mapping[str, Any]) -> str:
    """
    Return the fingerprint of what only one account can know, '' where there is nothing such.

    A conversation lives at the account that first served it: elsewhere its id means nothing.
    """
    conversation = _conversation(body)
    return _fingerprint(key_id, conversation.encode()) if conversation else ""


def _conversation(body: Mapping[str, Any]) -> str | None:
    conversation = body.get("conversation")
    return conversation if isinstance(conversation, str) else None


def _fingerprint(key_id: str, material: bytes) -> str:
    return hashlib.blake2b(material, key=key_id.encode(), digest_size=12).hexdigest()


def _stable_start(body: Mapping[str, Any]) -> bytes:
    """The instructions and everything up to the first user turn: later turns repeat it unchanged."""
    turns = body.get("messages") or body.get("input") or ""
    if isinstance(turns, list):
        first_user = next(
            (n for n, turn in enumerate(turns) if isinstance(turn, dict) and turn.get("role") == "user"), 0
        )
        turns = turns[: first_user + 1]
    start = orjson.dumps([body.get("model"), body.get("instructions"), turns], default=str)
    return start[:START_BYTES]
