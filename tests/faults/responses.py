"""
Responses of an upstream that fails, for either protocol.

What a named play of `upstream_plays` cannot express is made from the frames of a correct stream:
`edited` takes a function from frames to frames.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from tests.support.upstream_log import Seen
from tests.support.upstream_plays import expanded

Json = dict[str, Any]
Play = Json | Callable[[str], Json]  # or what makes it, given the wire
Frames = list[str]

PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
BODIES: dict[str, Json] = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "Hello"}]},
    "responses": {"model": "m", "input": "Hello"},
}
SSE = {"content-type": "text/event-stream"}
TEXTS = {"bad": "Grüße von hier: eins, zwei, drei, vier.", "good": "All of it, from the other one. ✓"}
STALL: Json = {"stall": True}
MOMENT: Json = {
    "sleep": 2.0
}  # so that what came before it was read, and not thrown away with a broken connection
TOO_LARGE_BYTES = 17 * 1024 * 1024


def saying(account: str, **more: Any) -> Json:
    """The whole text of *account*, in six deltas."""
    return {"play": "text", "text": TEXTS[account], "deltas": 6, **more}


def midway(*steps: Json) -> Json:
    """The first half of the response of `bad`, then *steps*."""
    return saying("bad", at={"3": list(steps)})


def rejected(status: int, code: str | None = None, *, headers: Json | None = None, **error: Any) -> Json:
    body = {"error": {"message": "Not now.", "type": "server_error", "code": code, **error}}
    return {"play": "http_error", "status": status, "body": body, "headers": headers or {}}


def in_stream(code: str, form: str, **more: Any) -> Json:
    error = {"code": code, "message": "Not now."}
    return {**more, "play": "error_in_stream", "form": form, "error": error}


def streamed(*steps: Json, **more: Any) -> Json:
    return {"status": 200, "headers": SSE, "steps": list(steps), **more}


def send(data: bytes, step: str = "send") -> Json:
    return {f"{step}_b64": base64.b64encode(data).decode()}


def frames_of(wire: str, play: Json) -> Frames:
    """Return what the named *play* sends on *wire*, event by event."""
    body = {**BODIES[wire], "stream": True, "stream_options": {"include_usage": True}}
    seen = Seen(0, "a", PATHS[wire], "", "POST", {}, body, 0, 0, None, 0.0)
    return [step["send"] for step in expanded(play, seen)["steps"]]


def edited(edit: Callable[[Frames], Frames], *after: Json, of: Json | None = None) -> Callable[[str], Json]:
    """Play the frames of the response of `bad` as *edit* returns them, then the steps *after*."""
    output = of or saying("bad")

    def play(wire: str) -> Json:
        return streamed(*({"send": frame} for frame in edit(frames_of(wire, output))), *after)

    return play


def without_done(frames: Frames) -> Frames:
    return [frame for frame in frames if "[DONE]" not in frame]


def without_usage(frames: Frames) -> Frames:
    """As an upstream that does not count: neither a chunk for it nor a field in the response."""
    stored = [frame for frame in frames if '"choices":[]' not in frame]
    return [re.sub(r'"usage":\{(?:[^{}]|\{[^{}]*\})*\}', '"usage":null', frame) for frame in stored]


def until_finish(frames: Frames) -> Frames:
    """A chat stream up to its finish_reason, and no further."""
    return without_usage(without_done(frames))


def without_finish(frames: Frames) -> Frames:
    return [frame for frame in frames if '"finish_reason":"' not in frame]


def opening(frames: Frames) -> Frames:
    """What comes before anything was produced: a role, or created and in_progress."""
    return frames[: 1 if '"role"' in frames[0] else 2]


def without_terminal(frames: Frames) -> Frames:
    return frames[:-1]


def sent_twice(frames: Frames) -> Frames:
    """The whole response again after its end: deltas, terminal and all."""
    return frames + frames


def two_finishes(frames: Frames) -> Frames:
    """Every event that finishes comes twice."""
    finishing = ('"finish_reason":"', "[DONE]", '"type":"response.completed"')
    return [frame for frame in frames for _ in range(1 + any(sign in frame for sign in finishing))]


def with_one_id(frames: Frames) -> Frames:
    """Every item, call and chunk is called the same."""
    return [
        re.sub(r'"(chatcmpl-|resp_|msg_|fc_|call_|rs_)[0-9a-f]{24}"', r'"\1same"', each) for each in frames
    ]


def with_thoughts(frames: Frames, thoughts: str) -> Frames:
    """A chat stream that thinks aloud first, word by word."""
    first = re.sub(r'"delta":\{[^{}]*\}', '"delta":{"reasoning_content":"*"}', frames[1])
    words = re.findall(r"\S+\s*", thoughts)
    return [frames[0], *(first.replace('"*"', f'"{word}"') for word in words), *frames[1:]]


def compressed(frames: Sequence[str], last: bytes = b"") -> bytes:
    """Return *frames* and *last* as gzip, readable up to its end."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    return packer.compress("".join(frames).encode() + last) + packer.flush(zlib.Z_SYNC_FLUSH)


@cache
def too_large(wire: str) -> Json:
    """One event of 17 MiB, after half of a response. Sent compressed, or a test would be slow."""
    half = frames_of(wire, saying("bad"))
    huge = b'data: {"type": "x", "padding": "' + b"x" * TOO_LARGE_BYTES + b'"}\n\n'
    headers = {**SSE, "content-encoding": "gzip"}
    return {**streamed(send(compressed(half[: len(half) // 2], huge))), "headers": headers}


def corrupted(wire: str) -> Json:
    """gzip that stops making sense in the middle."""
    half = frames_of(wire, saying("bad"))
    headers = {**SSE, "content-encoding": "gzip"}
    steps = [send(compressed(half[: len(half) // 2])), MOMENT, send(b"\xff" * 200)]
    return {**streamed(*steps), "headers": headers}


def not_compressed(wire: str) -> Json:
    """What calls itself gzip and is none."""
    return {**saying("bad"), "headers": {**SSE, "content-encoding": "gzip"}}


def short_of_its_length(wire: str) -> Json:
    """A Content-Length that promises more than comes."""
    half = frames_of(wire, saying("bad"))
    steps = [{"send": frame} for frame in half[: len(half) // 2]]
    headers = {**SSE, "content-length": "100000"}
    return {**streamed(*steps, {"close": True}), "headers": headers, "framing": "length"}
