"""
What servers of the Responses API send instead of what it documents, on each way to a client.

The ways are chat and Responses, streamed and as one object; streams are also read by the official client.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import openai
import orjson
import pytest
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent

from app.api.framing import framing_for
from app.errors import UpstreamRejected
from app.relay.model_attempt import ProtocolAttempt
from app.relay.unstreamed_attempt import begin_model_attempt
from app.streaming.events import UnstreamedResponse
from app.streaming.usage import Usage
from app.translation.requests.upstream_request import UpstreamRequest
from tests.app.relay.test_odd_events import Upstream, inputs_of, the_call

Json = dict[str, Any]

WAYS = [(protocol, stream) for protocol in ("chat", "responses") for stream in (True, False)]
CALL: Json = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "status": "completed"}
USAGE: Json = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def response(output: Any, **fields: Any) -> Json:
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": output,
        "usage": USAGE,
        **fields,
    }


def stream_of(events: list[Json]) -> bytes:
    numbered = [{"sequence_number": number, **event} for number, event in enumerate(events)]
    return b"".join(b"data: %b\n\n" % orjson.dumps(event) for event in numbered)


def events_of(items: list[Json], *, output: Any = ..., **fields: Any) -> bytes:
    """Return the stream of *items*, each of which is announced and ended; *output* is the final one."""
    events: list[Json] = [
        {"type": "response.created", "response": response([], status="in_progress", usage=None)}
    ]
    for index, item in enumerate(items):
        for step in ("added", "done"):
            events.append({"type": f"response.output_item.{step}", "output_index": index, "item": item})
    final = response(items if output is ... else output, **fields)
    return stream_of([*events, {"type": f"response.{final['status']}", "response": final}])


def received(protocol: str, data: bytes, *, stream: bool, wire: str = "responses") -> Json:
    """Return what `booked` does, without the usage."""
    return booked(protocol, data, stream=stream, wire=wire)[0]


def booked(protocol: str, data: bytes, *, stream: bool, wire: str) -> tuple[Json, ProtocolAttempt]:
    """
    Return (the object that a client of *protocol* has in the end, the attempt). Raises UpstreamError.

    An upstream that speaks *wire* sends *data*: the bytes of a stream, or of one object.
    """
    content_type = "application/json" if data[:1] in b"{[" else "text/event-stream"
    context = the_call(protocol, stream=stream)
    attempt: Any = begin_model_attempt(
        inputs_of(context, "openai", Upstream(data, random.Random(1), content_type)),
        UpstreamRequest(wire, {"model": "m"}, []),
    )
    events = [event for batch in attempt.events() for event in batch or ()]
    if type(events[0]) is UnstreamedResponse:
        body: Json = orjson.loads(events[0].encoded())
        return body, attempt
    payloads = [orjson.loads(event.encoded()) for event in events]
    if protocol == "responses" and stream:
        follow(payloads)
    fold = framing_for(context).fold()
    for payload in payloads:
        fold.add_event(payload)
    return dict(fold.result()), attempt


def follow(payloads: list[Json]) -> None:
    """Read *payloads* as the official client does, which raises for those that do not follow the last."""
    announced = {
        payload["output_index"]: payload["item"].get("id")
        for payload in payloads
        if payload["type"] == "response.output_item.added"
    }
    for payload in payloads:
        if "item_id" in payload:
            assert payload["item_id"] == announced[payload["output_index"]]
    state: Any = ResponseStreamState(text_format=openai.omit, input_tools=openai.omit)
    for payload in payloads:
        state.handle_event(construct_type(type_=ResponseStreamEvent, value=payload))


def each(items: list[Json], **fields: Any) -> Iterator[bytes]:
    """Yield what an upstream sends for *items*: a stream, one with an empty final output, an object."""
    yield events_of(items, **fields)
    yield events_of(items, **{**fields, "output": []})
    yield orjson.dumps(response(items, **fields))


def calls_in(body: Json) -> list[tuple[str, str, Any]]:
    """Return (id, name, arguments) of each call in the object of either protocol."""
    if "choices" in body:
        calls = body["choices"][0]["message"].get("tool_calls") or ()
        return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls]
    calls = [item for item in body["output"] if item["type"] == "function_call"]
    return [(call["call_id"], call["name"], call["arguments"]) for call in calls]


def end_of(body: Json) -> str:
    return str(body["choices"][0]["finish_reason"] if "choices" in body else body["status"])


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"city": "Oslo", "days": [1]}, '{"city":"Oslo","days":[1]}'),
        ({}, "{}"),
        ([1], "[1]"),
        (5, "5"),
        (True, "true"),
    ],
)
def test_arguments_that_are_an_object(protocol: str, stream: bool, arguments: Any, text: str) -> None:
    """They become the text of their JSON."""
    for data in each([{**CALL, "arguments": arguments}]):
        body = received(protocol, data, stream=stream)

        assert calls_in(body) == [("call_1", "f", text)]
        assert end_of(body) == ("tool_calls" if protocol == "chat" else "completed")


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("arguments", [{}, {"arguments": None}])
@pytest.mark.parametrize("streamed", ["", '{"n":1}'])
def test_calls_without_arguments(protocol: str, stream: bool, arguments: Json, streamed: str) -> None:
    """The calls get the arguments of their deltas, or none."""
    call = {**CALL, **arguments}
    delta = {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 0}
    for output in ([call], []):
        events = [
            {"type": "response.created", "response": response([], status="in_progress")},
            {"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "arguments": ""}},
            *([{**delta, "delta": streamed}] if streamed else ()),
            {"type": "response.output_item.done", "output_index": 0, "item": call},
            {"type": "response.completed", "response": response(output)},
        ]
        none = "" if protocol == "chat" else "{}"

        body = received(protocol, stream_of(events), stream=stream)

        assert calls_in(body) == [("call_1", "f", streamed or none)]
    assert calls_in(received(protocol, orjson.dumps(response([call])), stream=stream)) == [
        ("call_1", "f", none)
    ]


def open_call(arguments: str, *, output: Any) -> bytes:
    """Return the stream of a call that is never ended."""
    position = {"item_id": "fc_1", "output_index": 0}
    return stream_of(
        [
            {"type": "response.created", "response": response([], status="in_progress")},
            {"type": "response.output_item.added", "output_index": 0, "item": {**CALL, "arguments": ""}},
            {"type": "response.function_call_arguments.delta", **position, "delta": arguments},
            {"type": "response.completed", "response": response(output)},
        ]
    )


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("cut", ['{"city":"Os', '{"a":{"b":[1]}', "{", '{"a": tru', '{"a":"x\\'])
def test_calls_that_are_cut(protocol: str, stream: bool, cut: str) -> None:
    """They do not look complete, whatever the status of the response is."""
    call = {**CALL, "arguments": cut}
    for data in (*each([call]), open_call(cut, output=[]), open_call(cut, output=[call])):
        body, attempt = booked(protocol, data, stream=stream, wire="responses")

        assert calls_in(body) == [("call_1", "f", cut)]
        assert end_of(body) == ("length" if protocol == "chat" else "incomplete")
        if protocol == "responses":
            assert body["incomplete_details"] == {"reason": "max_output_tokens"}
            assert body["output"][0]["status"] == "incomplete"
        if data != open_call(cut, output=[]):
            assert attempt.reader.finish == "incomplete"


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("arguments", ["", " ", "{}", '{"a":"}{["}', "{'a': 1}", "city: Oslo", '{"a":NaN}'])
def test_complete_calls(protocol: str, stream: bool, arguments: str) -> None:
    """Arguments that are no JSON are not cut: only their model knows what they mean."""
    for data in (*each([{**CALL, "arguments": arguments}]), open_call(arguments, output=[])):
        body = received(protocol, data, stream=stream)

        assert end_of(body) == ("tool_calls" if protocol == "chat" else "completed")
        assert calls_in(body) == [("call_1", "f", arguments)]


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
def test_input_of_custom_tools_is_free(protocol: str, stream: bool) -> None:
    call = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "f", "input": '{"a'}
    for data in each([call]):
        body = received(protocol, data, stream=stream)

        assert end_of(body) == ("tool_calls" if protocol == "chat" else "completed")


WORDS = "The model fell over"
ERRORS: list[tuple[Json, str]] = [
    ({"detail": WORDS}, WORDS),
    (
        {
            "detail": [
                {"loc": ["body", "x"], "msg": WORDS, "type": "missing"},
                {"msg": "It did", "type": "value_error"},
            ]
        },
        f"{WORDS}: x; It did",
    ),
    ({"detail": {"message": WORDS}}, WORDS),
    ({"message": WORDS}, WORDS),
    ({"message": WORDS, "type": "BadRequestError", "param": None, "code": 40001}, WORDS),
    ({"code": 1234, "msg": WORDS, "success": False}, WORDS),
    ({"error": WORDS}, WORDS),
    ({"error": {"detail": WORDS}}, WORDS),
    ({"error": [WORDS, "It did"]}, f"{WORDS}; It did"),
    ({"errors": [{"code": 7, "message": WORDS}]}, WORDS),
    ({"errors": [WORDS]}, WORDS),
    ({"type": "error", "message": {"detail": [{"msg": WORDS}]}}, WORDS),
]
BEGUN = {
    "chat": {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}}]},
    "responses": {"type": "response.created", "response": response([], status="in_progress")},
}


def frame(payload: Json) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(payload)


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize(("error", "words"), ERRORS)
def test_words_of_errors(protocol: str, stream: bool, wire: str, error: Json, words: str) -> None:
    """An error in a 200 keeps its words, whatever names them, before and after the response begins."""
    for data in (orjson.dumps(error), frame(error), frame(BEGUN[wire]) + frame(error)):
        with pytest.raises(UpstreamRejected) as caught:
            received(protocol, data, stream=stream, wire=wire)

        assert caught.value.message == words
        assert caught.value.status == 502


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"The model fell over", WORDS),
        (b"[model] fell over", "[model] fell over"),
        (b'"The model fell over"', WORDS),
        (b'["The model fell over"]', WORDS),
        (b"The model\ndata: fell over", "The model\nfell over"),
        (b"Bad key sk-abcdefgh", "Bad key [hidden]"),
        (b"x" * 5000, "x" * 1000),
        (b"<html>", "The upstream failed"),
        (b"null", "The upstream failed"),
        (b"\xff", "\ufffd"),
    ],
)
def test_error_events_that_are_a_text(
    protocol: str, stream: bool, wire: str, data: bytes, words: str
) -> None:
    for before in (b"", frame(BEGUN[wire])):
        with pytest.raises(UpstreamRejected) as caught:
            received(protocol, before + b"event: error\ndata: %b\n\n" % data, stream=stream, wire=wire)

        assert caught.value.message == words


OWN = {"chat": ("prompt_tokens", "completion_tokens"), "responses": ("input_tokens", "output_tokens")}


def with_usage(wire: str, usage: Any) -> Iterator[bytes]:
    """Yield a stream and an object with *usage*."""
    if wire == "responses":
        yield events_of([], usage=usage)
        yield orjson.dumps(response([], usage=usage))
        return
    end = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    chunks = [BEGUN["chat"], end, {"id": "c", "choices": [], "usage": usage}]
    yield b"".join(map(frame, chunks)) + b"data: [DONE]\n\n"
    yield b"".join(map(frame, [BEGUN["chat"], {**end, "usage": usage}])) + b"data: [DONE]\n\n"
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    yield orjson.dumps({"id": "c", "choices": [choice], "usage": usage})


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize("names", ["chat", "responses"])
@pytest.mark.parametrize("kind", [int, str])
def test_usage_under_other_names(
    protocol: str, stream: bool, wire: str, names: str, kind: type[int] | type[str]
) -> None:
    """It is recorded, and clients receive it under the names of their protocol."""
    input_name, output_name = OWN[names]
    usage = {input_name: kind(12), output_name: kind(7), f"{input_name}_details": {"cached_tokens": kind(5)}}
    for data in with_usage(wire, usage):
        body, attempt = booked(protocol, data, stream=stream, wire=wire)

        assert attempt.reader.usage == Usage(12, 7, 19, cached_tokens=5)
        if protocol == "responses" or not stream:  # streams of chat have usage on request
            input_name, output_name = OWN[protocol]
            assert (body["usage"][input_name], body["usage"][output_name]) == (12, 7)
            assert body["usage"][f"{input_name}_details"]["cached_tokens"] == 5


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize("filled", ["chat", "responses"])
def test_usage_under_the_names_of_both_protocols(protocol: str, stream: bool, wire: str, filled: str) -> None:
    """New API sends all of them; those of one are zero."""
    usage = dict.fromkeys(OWN["chat"] + OWN["responses"], 0)
    usage |= {**dict(zip(OWN[filled], (12, 7), strict=True)), "total_tokens": 19}
    for data in with_usage(wire, usage):
        body, attempt = booked(protocol, data, stream=stream, wire=wire)

        assert attempt.reader.usage == Usage(12, 7, 19)
        if protocol == "responses" or not stream:
            input_name, output_name = OWN[protocol]
            assert (body["usage"][input_name], body["usage"][output_name]) == (12, 7)


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
def test_usage_that_is_zero_at_the_end(protocol: str, stream: bool) -> None:
    counts = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
    end = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    chunks = [{**BEGUN["chat"], "usage": counts}, {**end, "usage": dict.fromkeys(counts, 0)}]
    data = b"".join(map(frame, chunks)) + b"data: [DONE]\n\n"

    body, attempt = booked(protocol, data, stream=stream, wire="chat")

    assert attempt.reader.usage == Usage(12, 7, 19)
    if protocol == "responses" or not stream:
        assert body["usage"]["total_tokens"] == 19


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("reason", ["error", "stop"])
def test_words_of_an_error_in_a_choice(protocol: str, stream: bool, reason: str) -> None:
    """OpenRouter puts the provider's error there."""
    error = {"code": 503, "message": WORDS}
    end = {"index": 0, "finish_reason": reason, "error": error}
    message = {"role": "assistant", "content": "Hi"}
    chunks = frame(BEGUN["chat"]) + frame({"id": "c", "choices": [{**end, "delta": {}}]})
    for data in (chunks, orjson.dumps({"id": "c", "choices": [{**end, "message": message}]})):
        with pytest.raises(UpstreamRejected) as caught:
            received(protocol, data, stream=stream, wire="chat")

        assert (caught.value.message, caught.value.status) == (WORDS, 503)


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize("usage", [[{"prompt_tokens": 3}], "12", 7, True, {"units": 7}, {}, []])
def test_usage_that_is_not_understood(protocol: str, stream: bool, wire: str, usage: Any) -> None:
    """It is not passed on, and it is remembered for the account."""
    for data in with_usage(wire, usage):
        body, attempt = booked(protocol, data, stream=stream, wire=wire)

        assert body.get("usage") is None
        assert attempt.reader.usage is None
        assert attempt.reader.unknown_usage == (usage or None)


MESSAGE: Json = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
PART: Json = {"type": "output_text", "text": "", "annotations": []}


def text_stream(*pieces: Any, index: Json, item_id: str | None = "msg_1", output: Any = ...) -> list[Json]:
    """Return the events of a message whose deltas are *pieces*, each with the place *index*."""
    text = "".join(str(piece) for piece in pieces if type(piece) in (str, int))
    place = {**index, "content_index": 0} | ({} if item_id is None else {"item_id": item_id})
    part = {**PART, "text": text}
    finished = {**MESSAGE, "content": [part]}
    return [
        {"type": "response.created", "response": response([], status="in_progress")},
        {"type": "response.output_item.added", **index, "item": {**MESSAGE, "content": []}},
        {"type": "response.content_part.added", **place, "part": PART},
        *({"type": "response.output_text.delta", **place, "delta": piece} for piece in pieces),
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", **index, "item": finished},
        {"type": "response.completed", "response": response([finished] if output is ... else output)},
    ]


def text_in(body: Json) -> str:
    if "choices" in body:
        return body["choices"][0]["message"]["content"] or ""
    return "".join(part["text"] for item in body["output"] for part in item.get("content") or ())


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("index", [{"output_index": 0}, {}, {"output_index": None}, {"output_index": "0"}])
@pytest.mark.parametrize("item_id", ["msg_1", None, "other"])
@pytest.mark.parametrize("output", [..., None, []])
def test_text_in_odd_places(
    protocol: str, stream: bool, index: Json, item_id: str | None, output: Any
) -> None:
    data = stream_of(text_stream("Hel", "lo", index=index, item_id=item_id, output=output))

    body = received(protocol, data, stream=stream)

    assert text_in(body) == "Hello"
    assert end_of(body) == ("stop" if protocol == "chat" else "completed")


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize(
    ("pieces", "text"),
    [(("Hi ", 5), "Hi 5"), (("Hi", None), "Hi"), (("Hi", True, {"a": 1}, ["x"], 0.5, "!"), "Hi!")],
)
def test_deltas_that_are_not_text(protocol: str, stream: bool, pieces: tuple[Any, ...], text: str) -> None:
    events = text_stream(*pieces, index={"output_index": 0})

    assert text_in(received(protocol, stream_of(events), stream=stream)) == text


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize(
    "odd",
    [
        {"type": "response.output_item.added", "output_index": 1, "item": None},
        {"type": "response.output_item.done", "output_index": 1, "item": None},
        {"type": "response.output_item.done", "output_index": 1, "item": {"type": ["x"], "id": "x"}},
        {"type": ["x"], "delta": "x"},
        {"type": None, "item": {}},
        {"item": MESSAGE},
    ],
)
def test_events_without_meaning(protocol: str, stream: bool, odd: Json) -> None:
    events = text_stream("Hello", index={"output_index": 0})
    for place in (1, 3, len(events) - 1):
        data = stream_of([*events[:place], odd, *events[place:]])

        assert text_in(received(protocol, data, stream=stream)) == "Hello"


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("first", [None, 5, {"type": ["x"]}, {**MESSAGE, "content": None}, MESSAGE])
def test_items_without_meaning_or_content(protocol: str, stream: bool, first: Any) -> None:
    finished = {**MESSAGE, "id": "msg_2", "content": [{**PART, "text": "Hello"}]}
    for data in (events_of([finished], output=[first, finished]), orjson.dumps(response([first, finished]))):
        body = received(protocol, data, stream=stream)

        assert text_in(body) == "Hello"
        if protocol == "responses":
            assert all(type(item["content"]) is list for item in body["output"])


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("is_placed", [True, False])
def test_one_call_id_of_two_calls(protocol: str, stream: bool, is_placed: bool) -> None:
    calls = [{**CALL, "id": f"fc_{n}", "arguments": f'{{"n":{n}}}'} for n in (1, 2)]
    for data in each(calls):
        if not is_placed:
            data = data.replace(b'"output_index":0,', b"").replace(b'"output_index":1,', b"")
        first, second = calls_in(received(protocol, data, stream=stream))

        assert first == ("call_1", "f", '{"n":1}')
        assert second == ("fc_2", "f", '{"n":2}')


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("is_announced", [True, False])
@pytest.mark.parametrize("ids", [("msg_1", "msg_1"), ("a", "b"), (None, None), (None, "b")])
@pytest.mark.parametrize("has_output", [True, False])
def test_two_parts_without_an_index(
    protocol: str, stream: bool, is_announced: bool, ids: tuple[Any, Any], has_output: bool
) -> None:
    """A message that consists of deltas only also ends with the id of the deltas."""
    place = {"output_index": 0} | ({} if ids[0] is None else {"item_id": ids[0]})
    parts = [{**PART, "text": text} for text in ("Hello", " there")]
    finished = {**MESSAGE, "content": parts, **({} if ids[1] is None else {"id": ids[1]})}
    events = text_stream(index={"output_index": 0})
    head = events[: 2 if is_announced else 1]
    for part in parts:
        head += [
            *([{"type": "response.content_part.added", **place, "part": PART}] if is_announced else ()),
            {"type": "response.output_text.delta", **place, "delta": part["text"]},
            {"type": "response.output_text.done", **place, "text": part["text"]},
            {"type": "response.content_part.done", **place, "part": part},
        ]
    done = {"type": "response.output_item.done", "output_index": 0, "item": finished}
    end = {"type": "response.completed", "response": response([finished] if has_output else [])}

    body = received(protocol, stream_of([*head, done, end]), stream=stream)

    assert text_in(body) == "Hello there"
    if protocol == "responses":
        (item,) = body["output"]
        assert [part["text"] for part in item["content"]] == ["Hello", " there"]
        assert item["id"] == ("msg_1" if is_announced else ids[0] or "msg_0")


ANNOUNCED = {**CALL, "arguments": "", "status": "in_progress"}


def call_stream(*events: Json, item: Json = ANNOUNCED, output: Any = (), **fields: Any) -> bytes:
    """Return a stream that announces the call *item*, sends *events*, and ends."""
    begun = response([], status="in_progress", usage=None)
    return stream_of(
        [
            {"type": "response.created", "response": begun},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            *events,
            {"type": "response.completed", "response": response(list(output), **fields)},
        ]
    )


def arguments_delta(delta: Any) -> Json:
    place = {"output_index": 0, "item_id": "fc_1"}
    return {"type": "response.function_call_arguments.delta", **place, "delta": delta}


def done(item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": 0, "item": item}


ENDED = {**CALL, "arguments": ""}


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize(
    ("text", "ends"), [('{"a":1}', ("tool_calls", "completed")), ('{"a', ("length", "incomplete"))]
)
def test_arguments_that_only_deltas_have(
    protocol: str, stream: bool, text: str, ends: tuple[str, str]
) -> None:
    """The finished item, and the final output, have an empty text, or none."""
    delta = arguments_delta(text)
    for data in (
        call_stream(delta, done(ENDED)),
        call_stream(delta, done(CALL)),
        call_stream(delta, done(ENDED), output=[ENDED]),
        call_stream(delta, output=[ENDED]),
        call_stream(delta, output=[CALL]),
    ):
        body = received(protocol, data, stream=stream)

        assert calls_in(body) == [("call_1", "f", text)]
        assert end_of(body) == ends[protocol == "responses"]


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("is_ended", [True, False])
def test_arguments_that_only_deltas_of_another_type_have(protocol: str, stream: bool, is_ended: bool) -> None:
    data = call_stream(arguments_delta({"a": 1}), *([done(ENDED)] if is_ended else ()))

    assert calls_in(received(protocol, data, stream=stream)) == [("call_1", "f", '{"a":1}')]


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
def test_arguments_that_only_the_start_of_a_call_has(protocol: str, stream: bool) -> None:
    data = call_stream(item={**ANNOUNCED, "arguments": '{"a":1}'})

    assert calls_in(received(protocol, data, stream=stream)) == [("call_1", "f", '{"a":1}')]


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
def test_calls_without_ids_and_indexes(protocol: str, stream: bool) -> None:
    events: list[Json] = [{"type": "response.created", "response": response([], status="in_progress")}]
    for number in (1, 2):
        item = {**ANNOUNCED, "id": None, "call_id": f"call_{number}"}
        events.append({"type": "response.output_item.added", "item": item})
        for piece in ('{"n":', f"{number}}}"):
            events.append({"type": "response.function_call_arguments.delta", "delta": piece})
    data = stream_of([*events, {"type": "response.completed", "response": response([])}])

    calls = calls_in(received(protocol, data, stream=stream))

    assert calls == [("call_1", "f", '{"n":1}'), ("call_2", "f", '{"n":2}')]


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
def test_a_completed_response_with_an_error_has_failed(protocol: str, stream: bool) -> None:
    data = call_stream(done({**ENDED, "arguments": "{}"}), error={"code": "x", "message": "It broke"})

    with pytest.raises(UpstreamRejected, match="It broke"):
        received(protocol, data, stream=stream)


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize(
    "final", [{}, {"response": None}, {"response": "x"}, {"response": {"status": "queued"}}]
)
def test_the_response_at_the_end_lacks_its_fields(protocol: str, stream: bool, final: Json) -> None:
    events = text_stream("Hello", index={"output_index": 0})

    body = received(
        protocol, stream_of([*events[:-1], {"type": "response.completed", **final}]), stream=stream
    )

    assert text_in(body) == "Hello"
    assert end_of(body) == ("stop" if protocol == "chat" else "completed")


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("place", ["in_progress", "completed"])
def test_the_id_of_a_response_changes(protocol: str, stream: bool, place: str) -> None:
    """The first id is retained, because it has been sent already."""
    events = text_stream("Hello", index={"output_index": 0})
    odd = {"type": "response.in_progress", "response": response([], id="resp_2", status="in_progress")}
    if place == "in_progress":
        events.insert(1, odd)
    else:
        events[-1] = {**events[-1], "response": {**events[-1]["response"], "id": "resp_2"}}

    body = received(protocol, stream_of(events), stream=stream)

    assert text_in(body) == "Hello"
    if protocol == "responses":
        assert body["id"] == "resp_1"


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
def test_an_unstreamed_response_without_a_status(protocol: str, stream: bool) -> None:
    complete = response([{**MESSAGE, "content": [{**PART, "text": "Hello"}]}])
    del complete["status"]

    body = received(protocol, orjson.dumps(complete), stream=stream)

    assert text_in(body) == "Hello"
    assert end_of(body) == ("stop" if protocol == "chat" else "completed")


@pytest.mark.parametrize(("protocol", "stream"), WAYS)
@pytest.mark.parametrize("part", [None, "Hello", ["Hello"]])
def test_parts_that_are_none(protocol: str, stream: bool, part: Any) -> None:
    events = text_stream("Hello", index={"output_index": 0})
    place = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    odd = [{"type": f"response.content_part.{step}", **place, "part": part} for step in ("added", "done")]

    data = stream_of([*events[:2], odd[0], *events[2:-1], odd[1], events[-1]])

    assert text_in(received(protocol, data, stream=stream)) == "Hello"
