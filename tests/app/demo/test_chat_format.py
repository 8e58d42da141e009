"""Chat Completions, read by the official SDK."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            "required": ["location", "unit"],
            "additionalProperties": False,
        },
    },
}
CLOCK: Any = {
    "type": "function",
    "function": {"name": "get_time", "strict": True, "parameters": {"type": "object", "properties": {}}},
}


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["good", "bad"]
    friends: list[Person]


@pytest.fixture(params=["whole", "streamed"])
def send_request(request: pytest.FixtureRequest, client: OpenAI) -> Any:
    """Return a function that sends a request and returns the ChatCompletion, streamed or not."""

    def complete(text: str = "hi", **more: Any) -> ChatCompletion:
        messages = more.pop("messages", [{"role": "user", "content": text}])
        return client.chat.completions.create(model="gpt-x", messages=messages, **more)

    def streamed(text: str = "hi", **more: Any) -> ChatCompletion:
        messages = more.pop("messages", [{"role": "user", "content": text}])
        usage: Any = {"include_usage": True}
        with client.chat.completions.stream(
            model="gpt-x", messages=messages, stream_options=usage, **more
        ) as stream:
            for _ in stream:
                pass
            return stream.current_completion_snapshot

    return complete if request.param == "whole" else streamed


def test_a_sentence_quotes_the_user(send_request: Any) -> None:
    demo_response = send_request("What is the capital of France?")
    (choice,) = demo_response.choices
    assert "What is the capital of France?" in choice.message.content
    assert choice.finish_reason == "stop"
    assert demo_response.model == "demo/gpt-x"
    assert demo_response.id.startswith("chatcmpl-")


def test_usage_adds_up(send_request: Any) -> None:
    usage = send_request("hi").usage
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 3
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details.cached_tokens == 0
    assert usage.completion_tokens_details.reasoning_tokens == 0


def test_the_same_request_gets_the_same_words(send_request: Any) -> None:
    assert send_request("hi").choices[0].message.content == send_request("hi").choices[0].message.content


def test_a_function_is_called_with_arguments_that_fit(send_request: Any) -> None:
    (choice,) = send_request("Is it warm?", tools=[WEATHER, CLOCK]).choices
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert call.id.startswith("call_")
    assert call.function.name == "get_weather"
    assert call.function.arguments == '{"location":"demo location","unit":"C"}'


def test_functions_named_by_the_user_are_called_together(send_request: Any) -> None:
    text = "Use get_time and get_weather"
    calls = send_request(text, tools=[WEATHER, CLOCK]).choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert len({call.id for call in calls}) == 2
    (call,) = (
        send_request(text, tools=[WEATHER, CLOCK], parallel_tool_calls=False).choices[0].message.tool_calls
    )
    assert call.function.name == "get_weather"


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "get_time"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [CLOCK]}},
    ],
)
def test_tool_choice_decides(send_request: Any, choice: Any) -> None:
    (call,) = send_request(tools=[WEATHER, CLOCK], tool_choice=choice).choices[0].message.tool_calls
    assert call.function.name == "get_time"


def test_no_function_is_called_when_none_may_be(send_request: Any) -> None:
    assert send_request(tools=[WEATHER], tool_choice="none").choices[0].message.tool_calls is None


def test_the_result_of_a_function_is_quoted(send_request: Any) -> None:
    call = send_request("Is it warm?", tools=[WEATHER]).choices[0].message.tool_calls[0]
    messages = [
        {"role": "user", "content": "Is it warm?"},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": call.id, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"},
    ]
    choice = send_request(messages=messages, tools=[WEATHER]).choices[0]
    assert choice.finish_reason == "stop"
    assert "21 degrees" in choice.message.content


def test_a_refusal_is_no_content(send_request: Any) -> None:
    (choice,) = send_request("Please refuse this").choices
    assert choice.message.content is None
    assert "poolgate-demo" in choice.message.refusal
    assert choice.finish_reason == "stop"


def test_a_token_limit_cuts(client: OpenAI) -> None:
    demo_response = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], max_completion_tokens=3
    )
    assert demo_response.choices[0].message.content == "This is poolgate"
    assert demo_response.choices[0].finish_reason == "length"
    assert demo_response.usage is not None
    assert demo_response.usage.completion_tokens == 3


def test_reasoning_is_in_the_usage(send_request: Any) -> None:
    usage = send_request("hi", reasoning_effort="low").usage
    assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens


def test_a_stop_sequence_ends_the_text(send_request: Any) -> None:
    content = send_request("hi", stop=["simulated"]).choices[0].message.content
    assert content == "This is poolgate-demo, a "


def test_many_choices(send_request: Any) -> None:
    one, three = send_request("hi"), send_request("hi", n=3)
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert {choice.message.content for choice in three.choices} == {one.choices[0].message.content}
    assert three.usage.completion_tokens == 3 * one.usage.completion_tokens


def test_json_that_fits_a_model_is_parsed(client: OpenAI) -> None:
    demo_response = client.chat.completions.parse(
        model="m", messages=[{"role": "user", "content": "Who?"}], response_format=Person
    )
    person = demo_response.choices[0].message.parsed
    assert person is not None
    assert person.name == "demo name"
    assert person.mood == "good"


def test_a_streamed_response_is_parsed(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "Who?"}], response_format=Person
    ) as stream:
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Person)


def test_any_json_object_will_do(send_request: Any) -> None:
    content = send_request("hi", response_format={"type": "json_object"}).choices[0].message.content
    assert content.startswith('{"answer":')


def test_the_order_of_chunks(client: OpenAI) -> None:
    """The role comes first and once, then deltas, the finish, and the usage if it was requested."""
    options: Any = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True, stream_options=options
        )
    )
    first, *middle, finish, last = chunks
    assert first.choices[0].delta.role == "assistant"
    assert len(middle) > 3
    assert not any(chunk.choices[0].delta.role or chunk.choices[0].finish_reason for chunk in middle)
    assert finish.choices[0].finish_reason == "stop"
    assert last.choices == []
    assert last.usage is not None
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1


def test_usage_is_not_streamed_unless_requested(client: OpenAI) -> None:
    chunks = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    assert not any("usage" in chunk.model_fields_set for chunk in chunks)
