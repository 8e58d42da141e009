"""
What a vendor's server sends, as data: one `Vendor` in each file of `shapes`.

A stream is a list of frames: an object is one `data:` frame, a text is sent as it is. Every vendor answers
with the same words, so that a test knows what a client must get: `TEXT`, `REASONING` and `CALLS`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Frame = Json | list[Any] | str

PIECES = ("The answer", " is 4.")
TEXT = "".join(PIECES)
REASONING = "Two and two."
CALLS: tuple[tuple[str, Json], ...] = (("get_weather", {"city": "Paris"}), ("get_time", {"zone": "CET"}))
ARGUMENTS = tuple(json.dumps(arguments) for _, arguments in CALLS)
WORDS = "The model fell over"  # of a failure
REFUSED = "This field is not known here"  # of a refusal
DONE = "data: [DONE]\n\n"


@dataclass(frozen=True)
class Tokens:
    """What the vendor bills: reasoning is a part of the output, cached tokens are one of the input."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class VendorResponse:
    """A response as a stream and whole, and what it means."""

    stream: Sequence[Frame]
    complete: Json
    tokens: Tokens
    text: str = TEXT
    reasoning: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    sources: tuple[str, ...] = ()  # addresses and numbers of what is cited, in order


@dataclass(frozen=True)
class Failure:
    """A failure after the response headers; *words* are of its message, '' where it has none."""

    stream: Sequence[Frame]
    complete: Any
    status: int = 200  # of the whole response
    words: str = WORDS


@dataclass(frozen=True)
class Refusal:
    """An error response."""

    body: Any
    status: int = 400
    content_type: str = "application/json"
    words: str = REFUSED


@dataclass(frozen=True)
class Vendor:
    """
    The docstring of its file has marks of the sources: documentation, source code, a recorded exchange, a
    thread, a literal in public code, or knowledge that was not checked.
    """

    name: str
    text: VendorResponse
    tools: VendorResponse
    reasoning: VendorResponse
    refusal: Refusal
    failure: Failure
    content_type: str = "text/event-stream"


def function_call(position: int, call_id: str, **more: Any) -> Json:
    """Return the whole call of `CALLS` at *position*, without an index."""
    name, _ = CALLS[position]
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": ARGUMENTS[position]},
        **more,
    }


def completion(message: Json, finish: str, usage: Json | None, **more: Any) -> Json:
    """Return a whole response."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        **({} if usage is None else {"usage": usage}),
        **more,
    }


def chunk(delta: Json | None, finish: Any = None, /, **more: Any) -> Json:
    """Return a chunk with one choice, as OpenAI writes it; *finish* `...` leaves that key out."""
    choice: Json = {"index": 0}
    if delta is not None:
        choice["delta"] = delta
    if finish is not ...:
        choice["finish_reason"] = finish
    return {**SHELL, "choices": [choice], **more}


SHELL: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
