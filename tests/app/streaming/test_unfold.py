"""Complete responses become the events of a stream, which fold into the same response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.errors import UpstreamProtocolError
from app.streaming.chat_protocol import ChatReader
from app.streaming.events import DONE
from app.streaming.fold_chat import ChatFold
from app.streaming.fold_responses import ResponsesFold
from app.streaming.responses_protocol import ResponsesReader
from app.streaming.unfold import MAX_CALLS, MAX_CHOICES, unfold_completion, unfold_response
from app.streaming.unstreamed_responses import unstreamed_completion
from app.translation.events.responses_to_chat import ResponsesToChat
from app.translation.events.responses_to_responses import ResponsesPassThrough

Payload = dict[str, Any]

CALL: Payload = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
MESSAGES: list[Payload] = [
    {"role": "assistant", "content": "Hi", "refusal": None},
    {"role": "assistant", "content": None, "refusal": "No"},
    {"role": "assistant", "content": "Hi", "reasoning_content": "Hm", "refusal": None},
    {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "b"}], "refusal": None},
]


def completion(message: Payload, finish: str = "stop", **more: Any) -> Payload:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish, **more}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


@pytest.mark.parametrize("message", MESSAGES)
def test_completion(message):
    finish = "tool_calls" if "tool_calls" in message else "stop"
    body = completion(message, finish)
    reader, fold = ChatReader(), ChatFold()

    events = unfold_completion(body)
    for event in events:
        reader.observe(event)
        if event is not DONE:
            fold.add_event(event.payload)

    assert fold.result() == body
    assert (reader.can_end(), reader.finish) == (True, finish)
    assert reader.reported_usage is not None


def test_choices_with_one_index():
    message, other = MESSAGES[0], {"role": "assistant", "content": "Ho", "refusal": None}
    body = completion(message)
    body["choices"].append({**body["choices"][0], "message": other})
    reader, fold = ChatReader(2), ChatFold()

    for event in unfold_completion(body):
        reader.observe(event)
        fold.add_event(event.payload)

    assert [choice["message"] for choice in fold.result()["choices"]] == [message, other]


@pytest.mark.parametrize("choice", [{}, {"message": None}, {"message": "Hi"}, {"text": "Hi"}])
def test_a_choice_without_a_message(choice):
    """It is no empty response."""
    with pytest.raises(UpstreamProtocolError):
        unfold_completion({"choices": [{"index": 0, "finish_reason": "stop", **choice}]})


@pytest.mark.parametrize("odd", [lambda choice: choice, lambda choice: [None, choice, "x"]])
def test_choices_of_another_type(odd):
    choice = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}
    events = unfold_completion({"choices": odd(choice)})

    assert events[0].payload["choices"][0]["delta"]["content"] == "Hi"


def test_several_choices_without_index():
    body = completion({"content": "a"})
    body["choices"] = [{"message": {"content": text}, "finish_reason": "stop"} for text in "ab"]
    fold = ChatFold()
    for event in unfold_completion(body)[:-1]:
        fold.add_event(event.payload)

    assert [choice["message"]["content"] for choice in fold.result()["choices"]] == ["a", "b"]


MESSAGE: Payload = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}],
}
FUNCTION_CALL: Payload = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "c",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}
REASONING: Payload = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]}


def response(*output: Payload, status: str = "completed", **more: Any) -> Payload:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    return {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "output": [*output],
        "usage": usage,
        **more,
    }


def test_response():
    body = response(REASONING, MESSAGE, FUNCTION_CALL, error=None)
    reader, fold = ResponsesReader(), ResponsesFold()
    events = unfold_response(body)
    for event in events:
        reader.observe(event)

    passed = ResponsesPassThrough().translate(events)
    for event in passed:
        fold.add_event(event.payload)

    assert fold.result() == body
    types = [event.type for event in passed]
    assert types[0] == "response.created"
    assert "response.output_text.delta" in types
    assert "response.function_call_arguments.delta" in types
    assert types.count("response.output_item.done") == 3
    assert [event.payload["sequence_number"] for event in passed] == list(range(len(passed)))
    assert reader.has_calls
    assert reader.usage is not None


def test_an_output_that_is_null():
    body = response(error=None)

    assert unfold_response({**body, "output": None})[1].payload["response"] == body
    with pytest.raises(UpstreamProtocolError):
        unfold_response({**body, "output": None, "status": "failed"})


def test_response_for_a_chat_client():
    chunks = ResponsesToChat("c", 1, "m", include_usage=True).translate(
        unfold_response(response(MESSAGE, FUNCTION_CALL))
    )
    fold = ChatFold()
    for chunk in chunks:
        fold.add_event(chunk.payload)
    body = fold.result()

    message = body["choices"][0]["message"]
    assert (message["content"], message["tool_calls"][0]["id"]) == ("Hi", "c")
    assert body["usage"]["total_tokens"] == 3


@pytest.mark.parametrize(
    ("status", "finish"), [("completed", "completed"), ("incomplete", "incomplete"), ("failed", "failed")]
)
def test_status(status, finish):
    reader = ResponsesReader()
    error = {"code": "server_error", "message": "no"} if status == "failed" else None
    for event in unfold_response(response(MESSAGE, status=status, error=error)):
        reader.observe(event)

    assert reader.finish == finish


@pytest.mark.parametrize(
    "unfolded", [unfold_completion, lambda payload: unstreamed_completion(payload, None, ChatReader(1), dict)]
)
@pytest.mark.parametrize(
    "choices",
    [
        [{"message": {"content": "a"}, "finish_reason": "stop"}] * (MAX_CHOICES + 1),
        [
            {
                "message": {"tool_calls": [{"function": {"name": "f"}}] * (MAX_CALLS + 1)},
                "finish_reason": "stop",
            }
        ],
    ],
)
def test_more_choices_or_calls_than_any_response_has_are_refused(
    unfolded: Callable[[Any], Any], choices: list[Any]
) -> None:
    with pytest.raises(UpstreamProtocolError, match="too many"):
        unfolded({"choices": choices})
