"""
Encode events as the bytes of a `text/event-stream`.

Source: https://platform.openai.com/docs/api-reference/chat-streaming (no `event:` line,
`[DONE]` at the end) and https://platform.openai.com/docs/api-reference/responses-streaming
(an `event:` line that repeats the type, no `[DONE]`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from app.streaming.events import Event
from schemas.bounds import MAX_TEXT_CHARS

CHAT_DONE = b"data: [DONE]\n\n"
COMMENT = b": keepalive\n\n"  # SDKs fail on an event without data
CODEX_KEEPALIVE = b'event: codex.keepalive\ndata: {"type":"codex.keepalive"}\n\n'


def chat_frames(events: list[Event]) -> bytes:
    """Return *events* as chat frames: only data."""
    return b"".join([b"data: %b\n\n" % event.encoded() for event in events])


def responses_frames(events: list[Event]) -> bytes:
    """Return *events* as Responses frames: the type as event name, and data."""
    return b"".join(
        [b"%bdata: %b\n\n" % (_name_line(_plausible_name(event.type)), event.encoded()) for event in events]
    )


@lru_cache(maxsize=256)
def _name_line(name: str) -> bytes:
    # The name comes from the upstream: a line break in it would begin another field.
    return b"event: %b\n" % name.encode() if name.isprintable() and name else b""


def _plausible_name(name: str) -> str:
    """Return *name*, "" for an implausibly long one, so that such names do not fill the cache."""
    return name if len(name) <= MAX_TEXT_CHARS else ""


def responses_keepalive(sequence_number: int) -> bytes:
    """
    Return an event without content, for use after `response.created`.

    Unlike a comment it resets the idle timer of clients that count events.
    """
    return responses_frames([Event({"type": "keepalive", "sequence_number": sequence_number})])


def chat_error(envelope: dict[str, Any]) -> bytes:
    """Return the frames that end a failed chat stream: the error, then the sentinel."""
    return b"data: %b\n\n%b" % (orjson.dumps(envelope), CHAT_DONE)


def responses_failed(response: Mapping[str, Any], sequence_number: int) -> bytes:
    """Return the frames that end a failed Responses stream; *response* is the failed response object."""
    return responses_frames(
        [Event({"type": "response.failed", "sequence_number": sequence_number, "response": response})]
    )
