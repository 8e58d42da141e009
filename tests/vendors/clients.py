"""What a strict client makes of a response, in either protocol, streamed and whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.support.gateway import PoolOfTest

Json = dict[str, Any]

WAYS = ("chat streamed", "chat whole", "responses streamed", "responses whole")
TOOLS = [
    {"name": name, "parameters": {"type": "object", "properties": {key: {"type": "string"}}}}
    for name, key in (("get_weather", "city"), ("get_time", "zone"))
]
BODIES: dict[str, Json] = {
    "chat": {
        "model": "m",
        "messages": [{"role": "user", "content": "2 + 2?"}],
        "tools": [{"type": "function", "function": tool} for tool in TOOLS],
    },
    "responses": {"model": "m", "input": "2 + 2?", "tools": [{"type": "function", **tool} for tool in TOOLS]},
}
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
IDENTITY = ("id", "created", "model")  # of a completion and of all its chunks
COMPLETE = ("stop", "tool_calls", "completed")


@dataclass
class Reading:
    """A response as the client understands it; *end* is the finish reason, or the status of a response."""

    status: int
    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    call_ids: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    end: str | None = None
    error: str | None = None
    usage: Json | None = None

    @property
    def looks_complete(self) -> bool:
        return self.error is None and self.end in COMPLETE


def send_request(pool: PoolOfTest, key: str, way: str) -> Reading:
    """Send one request in *way* and read the response."""
    protocol, form = way.split()
    body = dict(BODIES[protocol])
    if form == "streamed":
        body["stream"] = True
        if protocol == "chat":
            body["stream_options"] = {"include_usage": True}
    response = pool.post(PATHS[protocol], body, key)
    if response.status_code != 200:
        return Reading(response.status_code, error=response.json()["error"]["message"])
    if form == "whole":
        return _COMPLETE_READERS[protocol](response.json())
    return _STREAM_READERS[protocol](_events(response))


def _events(response: requests.Response) -> list[Any]:
    data = [line[6:] for line in response.content.decode().split("\n") if line.startswith("data: ")]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


def _read_chat(body: Json) -> Reading:
    (choice,) = body["choices"]
    message = choice["message"]
    assert all(body[key] for key in IDENTITY), body
    assert message["role"] == "assistant"
    reading = Reading(200, end=choice["finish_reason"], usage=body.get("usage"))
    reading.text = _text(message.get("content"))
    reading.reasoning = _text(message.get("reasoning_content") or message.get("reasoning"))
    _add_sources(reading, message)
    for call in message.get("tool_calls") or ():
        _add_call(reading, call)
    return reading


def _read_chunks(events: list[Any]) -> Reading:
    reading = Reading(200)
    calls: dict[int, Json] = {}
    identities: set[tuple[Any, ...]] = set()
    role = None
    assert events[-1] == "[DONE]", events[-1]
    for chunk in events[:-1]:
        assert "error" in chunk or chunk["object"] == "chat.completion.chunk", "SDKs ignore other types"
        if "error" in chunk:
            reading.error = chunk["error"]["message"]
            continue
        reading.usage = chunk.get("usage") or reading.usage
        identities.add(tuple(chunk[key] for key in IDENTITY))
        for choice in chunk["choices"]:
            delta = choice.get("delta") or {}
            role = role or delta.get("role")
            assert role or not delta, "a delta before the role"
            assert reading.end is None or not delta.get("content"), "text after the end"
            reading.text += _text(delta.get("content"))
            reading.reasoning += _text(delta.get("reasoning_content") or delta.get("reasoning"))
            _add_sources(reading, delta)
            for piece in delta.get("tool_calls") or ():
                _merge(calls, piece)
            if choice.get("finish_reason") is not None:
                assert reading.end is None, "ended twice"
                reading.end = choice["finish_reason"]
    assert [all(each) for each in identities] in ([True], []), identities
    assert list(calls) == list(range(len(calls))), "indexes with gaps"
    for call in calls.values():
        _add_call(reading, call)
    return reading


def _merge(calls: dict[int, Json], piece: Json) -> None:
    """Merge one delta of a call as the SDKs do: by its index."""
    index = piece["index"]
    assert type(index) is int
    if index not in calls:
        assert piece["id"]
        assert piece["function"]["name"]
        calls[index] = {**piece, "function": {"arguments": "", **piece["function"]}}
        return
    assert not piece.get("id") or piece["id"] == calls[index]["id"], "two calls of one index"
    assert piece.get("type", "function") == "function", "a type that SDKs do not expect"
    calls[index]["function"]["arguments"] += _text((piece.get("function") or {}).get("arguments"))


def _add_call(reading: Reading, call: Json) -> None:
    function = call["function"]
    assert call["id"]
    assert call["type"] == "function"
    assert isinstance(function["arguments"], str), function
    reading.call_ids.append(call["id"])
    reading.calls.append((function["name"], _arguments(function["arguments"])))


def _arguments(text: str) -> Any:
    """Return the value of the JSON *text*, or the text where it was cut."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _add_sources(reading: Reading, message: Json) -> None:
    for part in message.get("content_parts") or ():
        reading.sources += [part["url"]] if "url" in part else map(str, part["reference_ids"])
    nested = [each["url_citation"] for each in message.get("annotations") or ()]
    reading.sources += [each["url"] for each in nested]


def _add_annotations(reading: Reading, annotations: list[Json]) -> None:
    for each in annotations:
        reading.sources.append(each["url"] if each["type"] == "url_citation" else each["file_id"])


def _read_response(response: Json) -> Reading:
    reading = Reading(200, end=response["status"], usage=response["usage"])
    if response["error"]:
        reading.error = response["error"]["message"]
    for item in response["output"]:
        if item["type"] == "message":
            for part in item["content"]:
                reading.text += part["text"]
                _add_annotations(reading, part["annotations"])
        elif item["type"] == "reasoning":
            parts = [*item.get("summary", ()), *(item.get("content") or ())]
            reading.reasoning += "".join(part["text"] for part in parts)
        elif item["type"] == "function_call":
            assert item["call_id"]
            reading.call_ids.append(item["call_id"])
            reading.calls.append((item["name"], _arguments(item["arguments"])))
    return reading


def _read_events(events: list[Any]) -> Reading:
    assert events[0]["type"] == "response.created"
    numbers = [event["sequence_number"] for event in events]
    assert numbers == sorted(set(numbers))
    last = events[-1]
    assert last["type"] in ("response.completed", "response.incomplete", "response.failed"), last
    reading = _read_response({"usage": None, **last["response"]})
    if reading.error is None:
        text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
        assert text == reading.text
        streamed = Reading(200)
        _add_annotations(
            streamed,
            [event["annotation"] for event in events if event["type"].endswith("annotation.added")],
        )
        assert streamed.sources == reading.sources
    return reading


def _text(value: Any) -> str:
    assert value is None or isinstance(value, str), value
    return value or ""


_COMPLETE_READERS = {"chat": _read_chat, "responses": _read_response}
_STREAM_READERS = {"chat": _read_chunks, "responses": _read_events}
