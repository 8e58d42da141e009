"""
Deviations from the chat API, through chat and Responses, streamed and whole: what they mean for a client.

A row of `SHAPES` is one deviation, and what a strict client has to read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.gateway import Gateway, running_gateway
from tests.support.upstream_client import ScriptedUpstream
from tests.vendors.clients import WAYS
from tests.vendors.test_vendors import serve, stream_of
from tests.vendors.vendor import (
    ARGUMENTS,
    CALLS,
    DONE,
    PIECES,
    SHELL,
    TEXT,
    Frame,
    Json,
    chunk,
    completion,
    function_call,
)

USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
USAGE_CHUNK = {**SHELL, "choices": [], "usage": USAGE}
NAME = CALLS[0][0]
START = {"index": 0, "id": "call_0", "type": "function", "function": {"name": NAME, "arguments": ""}}


@dataclass(frozen=True)
class Shape:
    """A response whose chunks deviate, streamed and *complete* (None: only streams deviate so)."""

    name: str
    stream: Sequence[Frame]
    complete: Json | None
    text: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    ends: tuple[str, str] = ("", "completed")  # for chat ("": as documented), for Responses


def calls_chunk(*pieces: Any, finish: Any = None, **more: Any) -> Json:
    return chunk({"tool_calls": list(pieces)}, finish, **more)


def arguments(text: str, index: Any = 0) -> Json:
    return {"index": index, "function": {"arguments": text}}


def cut_call(text: str) -> Json:
    """Return the message of a call whose arguments end with *text*."""
    called = function_call(0, "call_0")
    return {"content": None, "tool_calls": [{**called, "function": {"name": NAME, "arguments": text}}]}


def odd_end(choice: Json, message: Json | None) -> Json:
    """Return the completion with which MiniMax ends a stream."""
    end = {"index": 0, "finish_reason": "stop", **choice, **({"message": message} if message else {})}
    return {**SHELL, "object": "chat.completion", "choices": [end], "usage": USAGE}


def fragment(piece: Json, name: str) -> Json:
    return {**piece, "function": {"name": name, "arguments": ""}}


def odd(choices: Any) -> Json:
    return {**SHELL, "choices": choices}


def odd_completion(choices: Any) -> Json:
    return {**TEXT_COMPLETION, "choices": choices}


def odd_calls(calls: Any) -> Json:
    return completion({"content": None, "tool_calls": calls}, "tool_calls", USAGE)


CUT = ARGUMENTS[0][:-3]
CALL = function_call(0, "call_0")
TEXT_COMPLETION = completion({"content": TEXT}, "stop", USAGE)
TEXT_CHOICE = {"index": 0, "delta": {"content": TEXT}, "finish_reason": None}
END = (chunk({}, "stop"), USAGE_CHUNK, DONE)
END_OF_CALLS = (chunk({}, "tool_calls"), USAGE_CHUNK, DONE)
FLAT = {"index": 0, "id": "call_0", "function": NAME, "arguments": ARGUMENTS[0]}

SHAPES = [
    *(
        Shape(
            f"arguments are cut and the finish reason is {reason}, {place}",
            [
                calls_chunk(START),
                calls_chunk(arguments(CUT), finish=reason if place == "with them" else None),
                *([] if place == "with them" else [chunk({}, reason)]),
                *([USAGE_CHUNK] if place == "before usage" else []),
                *([] if place == "at the end" else [DONE]),
            ],
            completion(cut_call(CUT), reason, USAGE),
            calls=((NAME, CUT),),
            ends=("length", "incomplete"),
        )
        for reason in ("tool_calls", "stop")
        for place in ("with them", "before usage", "before the sentinel", "at the end")
    ),
    *(
        Shape(
            f"no arguments and the finish reason is {reason}",
            [calls_chunk(START), chunk({}, reason), USAGE_CHUNK, DONE],
            completion(cut_call(""), reason, USAGE),
            calls=((NAME, ""),),
        )
        for reason in ("tool_calls", "stop")
    ),
    Shape(
        "arguments before and after the finish reason",
        [
            calls_chunk(START),
            calls_chunk(arguments(ARGUMENTS[0][:5]), finish="tool_calls"),
            calls_chunk(arguments(ARGUMENTS[0][5:])),
            USAGE_CHUNK,
            DONE,
        ],
        None,
        calls=CALLS[:1],
    ),
    *(
        Shape(
            f"arguments after the finish reason, usage {place}",
            [
                calls_chunk(START),
                chunk({}, "tool_calls", **({"usage": USAGE} if place == "with it" else {})),
                calls_chunk(arguments(ARGUMENTS[0][:5])),
                calls_chunk(arguments(ARGUMENTS[0][5:])),
                *([USAGE_CHUNK] if place == "at the end" else []),
                *([DONE] if place != "absent" else []),
            ],
            None,
            calls=CALLS[:1],
        )
        for place in ("with it", "at the end", "absent")
    ),
    Shape(
        "choices are an object",
        [odd(TEXT_CHOICE), *END],
        odd_completion(TEXT_COMPLETION["choices"][0]),
        text=TEXT,
    ),
    Shape(
        "a choice is null",
        [odd([None, TEXT_CHOICE]), *END],
        odd_completion([None, *TEXT_COMPLETION["choices"]]),
        text=TEXT,
    ),
    Shape(
        "the index of a choice is text",
        [odd([{**TEXT_CHOICE, "index": "0"}]), *END],
        odd_completion([{**TEXT_COMPLETION["choices"][0], "index": "0"}]),
        text=TEXT,
    ),
    Shape("a delta is text", [odd([{**TEXT_CHOICE, "delta": TEXT}]), *END], None, text=TEXT),
    Shape(
        "a delta is null",
        [chunk({"content": TEXT}), odd([{**TEXT_CHOICE, "delta": None}]), *END],
        None,
        text=TEXT,
    ),
    Shape(
        "the index of a call is text",
        [calls_chunk({**START, "index": "0"}), calls_chunk(arguments(ARGUMENTS[0], "0")), *END_OF_CALLS],
        odd_calls([{**CALL, "index": "0"}]),
        calls=CALLS[:1],
    ),
    Shape(
        "calls are an object",
        [chunk({"tool_calls": {**CALL, "index": 0}}), *END_OF_CALLS],
        odd_calls(CALL),
        calls=CALLS[:1],
    ),
    Shape(
        "a call is null",
        [calls_chunk(None, {**CALL, "index": 0}), calls_chunk(None), *END_OF_CALLS],
        odd_calls([None, CALL]),
        calls=CALLS[:1],
    ),
    Shape("a function is text", [calls_chunk(FLAT), *END_OF_CALLS], odd_calls([FLAT]), calls=CALLS[:1]),
    Shape(
        "a function is null",
        [calls_chunk({**START, "function": None}), calls_chunk({**CALL, "index": 0}), *END_OF_CALLS],
        odd_calls([{**CALL, "function": None, **CALL["function"]}]),
        calls=CALLS[:1],
    ),
    Shape(
        "a call has nothing",
        [chunk({"content": TEXT}), calls_chunk({**START, "function": None}), *END],
        completion({"content": TEXT, "tool_calls": [{**START, "function": None}]}, "stop", USAGE),
        text=TEXT,
    ),
    *(
        Shape(
            f"a name in fragments, {place}",
            [
                calls_chunk(fragment(START, NAME[:4])),
                calls_chunk(fragment(again, NAME[4:])),
                calls_chunk(arguments(ARGUMENTS[0])),
                *END_OF_CALLS,
            ],
            None,
            calls=CALLS[:1],
        )
        for place, again in (("the same id", START), ("no id", {"index": 0}))
    ),
    *(
        Shape(
            f"indexes of calls are {first} and {second}",
            [
                calls_chunk({**START, "index": first}),
                calls_chunk(arguments(ARGUMENTS[0][:5], first)),
                calls_chunk(arguments(ARGUMENTS[0][5:], first)),
                calls_chunk({**function_call(1, "call_1"), "index": second}),
                *END_OF_CALLS,
            ],
            None,
            calls=CALLS,
        )
        for first, second in ((1, 2), (1, 0), (0, 2))
    ),
    Shape(
        "a call while the name of another is not known yet",
        [
            calls_chunk(fragment(START, NAME[:4])),
            calls_chunk({**function_call(1, "call_1"), "index": 1}),
            calls_chunk({"index": 0, "function": {"name": NAME[4:], "arguments": ARGUMENTS[0]}}),
            *END_OF_CALLS,
        ],
        None,
        calls=(CALLS[1], CALLS[0]),
    ),
    Shape(
        "a type that is null after the first delta",
        [
            calls_chunk(START),
            calls_chunk({**arguments(ARGUMENTS[0]), "id": None, "type": None}),
            *END_OF_CALLS,
        ],
        None,
        calls=CALLS[:1],
    ),
    Shape(
        "two calls with one id",
        [calls_chunk(CALL), calls_chunk(function_call(1, "call_0")), *END_OF_CALLS],
        odd_calls([CALL, function_call(1, "call_0")]),
        calls=CALLS,
    ),
    Shape(
        "a name in each delta",
        [
            calls_chunk(START),
            *(
                calls_chunk({"index": 0, "function": {"name": NAME, "arguments": text}})
                for text in (ARGUMENTS[0][:5], ARGUMENTS[0][5:], "")
            ),
            *END_OF_CALLS,
        ],
        None,
        calls=CALLS[:1],
    ),
    *(
        Shape(
            f"a completion repeats the text at the end, {place}",
            [
                chunk({"role": "assistant", "content": PIECES[0]}),
                *([] if place == "with more of it" else [chunk({"content": PIECES[1]})]),
                odd_end({} if delta is None else {"delta": delta}, message),
                DONE,
            ],
            None,
            text=TEXT,
        )
        for place, delta, message in (
            ("as a message", None, {"role": "assistant", "content": TEXT}),
            ("as a message with a delta", {"role": "assistant"}, {"role": "assistant", "content": TEXT}),
            ("as a delta", {"role": "assistant", "content": TEXT}, None),
            ("with more of it", {"content": TEXT}, None),
        )
    ),
    Shape(
        "a message with an empty delta is all",
        [chunk({"role": "assistant"}), odd_end({"delta": {}}, {"content": TEXT}), DONE],
        None,
        text=TEXT,
    ),
    Shape(
        "a text that repeats itself",
        [
            *(chunk({"content": text}) for text in ("a", "an", "and", "and")),
            chunk({"content": "aanandand"}, "stop"),
        ],
        None,
        text="aanandandaanandand",
    ),
    Shape(
        "each chunk is called a completion",
        [
            {**chunk({"content": "Yes"}), "object": "chat.completion"},
            {**chunk({"content": "Yes, of course."}, "stop"), "object": "chat.completion"},
            DONE,
        ],
        None,
        text="YesYes, of course.",
    ),
    Shape(
        "chunks without a type",
        [
            *(
                {key: value for key, value in each.items() if key != "object"}
                for each in (chunk({"content": PIECES[0]}), chunk({"content": PIECES[1]}), chunk({}, "stop"))
            ),
            USAGE_CHUNK,
            DONE,
        ],
        None,
        text=TEXT,
    ),
    Shape(
        "two ends",
        [chunk({"content": TEXT}), chunk({}, "stop"), chunk({"content": ""}, "stop"), USAGE_CHUNK, DONE],
        None,
        text=TEXT,
    ),
    Shape(
        "two ends, usage with the second",
        [chunk({"content": TEXT}), chunk({}, "stop"), chunk({}, "length", usage=USAGE), DONE],
        None,
        text=TEXT,
    ),
]


@pytest.fixture(scope="module")
def gateway(gateways_redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(gateways_redis_url, tmp_path_factory.mktemp("home"), workers=1) as running:
        yield running


@pytest.mark.parametrize(
    ("shape", "way"),
    [
        pytest.param(shape, way, id=f"{shape.name}-{way}".replace(" ", "-"))
        for shape in SHAPES
        for way in WAYS
    ],
)
def test_meaning(gateway: Gateway, upstream: ScriptedUpstream, shape: Shape, way: str) -> None:
    streamed = stream_of(shape.stream, "text/event-stream")
    complete = streamed if shape.complete is None else {"play": "json", "body": shape.complete}
    _, reading = serve(gateway, upstream, way, streamed, complete)

    assert (reading.status, reading.error) == (200, None)
    assert (reading.text, reading.calls) == (shape.text, list(shape.calls))
    assert reading.end == expected_end(shape, way)


def expected_end(shape: Shape, way: str) -> str:
    for_chat, for_responses = shape.ends
    if "responses" in way:
        return for_responses
    return for_chat or ("tool_calls" if shape.calls else "stop")
