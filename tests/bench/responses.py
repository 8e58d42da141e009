"""The responses of the bench's upstream: the bytes of both protocols, built in advance."""

from __future__ import annotations

from functools import lru_cache

import orjson

TOKEN = "tok "
CREATED_AT = 1_700_000_000
MODEL = "gpt-5.4-mini"  # one that has a price, so that its cost is bounded and recorded
CHAT, RESPONSES = "chat", "responses"

_CHUNK = {
    "id": "chatcmpl-bench",
    "object": "chat.completion.chunk",
    "created": CREATED_AT,
    "model": MODEL,
    "service_tier": "default",
    "system_fingerprint": "fp_bench",
}
_PLACE = {"item_id": "msg_bench", "output_index": 0, "content_index": 0}


def delta(wire: str, number: int, text: str = TOKEN) -> bytes:
    """Return the server-sent event that adds *text*; *number* counts deltas from 0."""
    if wire == CHAT:
        return _chunk({"content": text})
    event = {"type": "response.output_text.delta", "sequence_number": number + 4, **_PLACE}
    return _named(event | {"delta": text, "logprobs": [], "obfuscation": "k3Vq9"})


@lru_cache(maxsize=64)
def opening(wire: str) -> bytes:
    """Return what comes before the first delta."""
    if wire == CHAT:
        return _chunk({"role": "assistant", "content": "", "refusal": None})
    item = {"id": "msg_bench", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    events = [
        {"type": "response.created", "response": _response("in_progress", [])},
        {"type": "response.in_progress", "response": _response("in_progress", [])},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **_PLACE, "part": part},
    ]
    return b"".join(_named({**event, "sequence_number": n}) for n, event in enumerate(events))


@lru_cache(maxsize=64)
def ending(wire: str, deltas: int, text: str = "") -> bytes:
    """Return the frames after *deltas* deltas of *text*."""
    if wire == CHAT:
        usage = {"prompt_tokens": 9, "completion_tokens": deltas, "total_tokens": 9 + deltas}
        last = {**_CHUNK, "choices": [], "usage": usage}
        return _chunk({}, "stop") + b"data: %b\n\ndata: [DONE]\n\n" % orjson.dumps(last)
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    item = {"id": "msg_bench", "type": "message", "status": "completed", "role": "assistant"}
    item |= {"content": [part]}
    events = [
        {"type": "response.output_text.done", **_PLACE, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **_PLACE, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": _response("completed", [item], deltas)},
    ]
    return b"".join(_named({**event, "sequence_number": deltas + 4 + n}) for n, event in enumerate(events))


@lru_cache(maxsize=64)
def burst(wire: str, deltas: int) -> bytes:
    """Return a whole HTTP answer: a stream of *deltas*, each event in a chunk of its own, sent at once."""
    events = opening(wire).split(b"\n\n")[:-1]
    events += [delta(wire, n).removesuffix(b"\n\n") for n in range(deltas)]
    events += ending(wire, deltas, TOKEN * deltas).split(b"\n\n")[:-1]
    return STREAM_HEAD + b"".join(framed(event + b"\n\n") for event in events) + LAST_CHUNK


@lru_cache(maxsize=64)
def complete(wire: str, deltas: int) -> bytes:
    """Return a whole HTTP answer of one JSON object."""
    text = TOKEN * deltas
    if wire == CHAT:
        message = {"role": "assistant", "content": text, "refusal": None}
        usage = {"prompt_tokens": 9, "completion_tokens": deltas, "total_tokens": 9 + deltas}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        payload = {**_CHUNK, "object": "chat.completion", "choices": [choice], "usage": usage}
    else:
        part = {"type": "output_text", "annotations": [], "text": text}
        item = {"id": "msg_bench", "type": "message", "status": "completed", "role": "assistant"}
        payload = _response("completed", [item | {"content": [part]}], deltas)
    body = orjson.dumps(payload)
    return _head("application/json", b"Content-Length: %d" % len(body)) + body


def framed(data: bytes) -> bytes:
    """Return *data* as one chunk of HTTP/1.1's chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(kind: str, framing: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n" % (kind.encode(), framing)


def _chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return b"data: %b\n\n" % orjson.dumps({**_CHUNK, "choices": [choice], "usage": None})


def _named(event: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), orjson.dumps(event))


def _response(status: str, output: list[dict[str, object]], deltas: int = 0) -> dict[str, object]:
    response: dict[str, object] = {"id": "resp_bench", "object": "response", "created_at": CREATED_AT}
    response |= {"status": status, "model": MODEL, "output": output, "error": None, "usage": None}
    if status == "completed":
        response["usage"] = {"input_tokens": 9, "output_tokens": deltas, "total_tokens": 9 + deltas}
    return response


STREAM_HEAD = _head("text/event-stream", b"Transfer-Encoding: chunked")
LAST_CHUNK = b"0\r\n\r\n"
