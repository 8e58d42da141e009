"""
Events -> the bytes of a `text/event-stream`.

Source: https://platform.openai.com/docs/api-reference/chat-streaming (no `event:` line,
`[DONE]` at the end) and https://platform.openai.com/docs/api-reference/responses-streaming
(an `event:` line that repeats the type, no `[DONE]`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from app.streaming.events import Event
from schemas.bounds import MAX_TEXT_CHARS

CHAT_DONE = b"data: [DONE]\n\n"
COMMENT = b": keepalive\n\n"  # never an event without data: SDKs fail on it


CODEX_KEEPALIVE = b'event: codex.keepalive\ndata: {"type":"codex.keepalive"}\n\n'


def chat_frames(events: list[Event]) -> bytes:
    """Return *events* as chat frames: data alone."""
    return b"".join([b"data: %b\n\n" % event.encoded() for event in events])


def responses_frames(events: list[Event]) -> bytes:
    """Return *events* as Responses frames: the type as name, then the data."""
    return b"".join(
        [b"%bdata: %b\n\n" % (_name_line(_plausible_name(event.type)), event.encoded()) for event in events]
    )


@lru_cache(maxsize=256)
def _name_line(name: str) -> bytes:
    # A name comes from the upstream's JSON: a line end in it would begin a line of its own.
    return b"event: %b\n" % name.encode() if name.isprintable() and name else b""


def _plausible_name(name: str) -> str:
    """Return *name*, or nothing for one that no event has and no cache should hold."""
    return name if len(name) <= MAX_TEXT_CHARS else ""


def responses_keepalive(sequence_number: int) -> bytes:
    """
    Return an event that says nothing; for use after `response.created`.

    Unlike a comment it resets the idle timer of clients that count events.
    """
    return responses_frames([Event({"type": "keepalive", "sequence_number": sequence_number})])


def chat_error(envelope: dict[str, Any]) -> bytes:
    """Return the end of a chat stream that failed: the error, then the sentinel."""
    return b"data: %b\n\n%b" % (orjson.dumps(envelope), CHAT_DONE)


def responses_failed(
    envelope: dict[str, Any], *, response_id: str, created_at: int, sequence_number: int
) -> bytes:
    """Return the end of a Responses stream that failed. *created_at* in Unix seconds."""
    response = {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "failed",
        "error": envelope["error"],
        "incomplete_details": None,
        "output": [],  # SDKs read it without asking
    }
    event = {"type": "response.failed", "sequence_number": sequence_number, "response": response}
    return responses_frames([Event(event)])
