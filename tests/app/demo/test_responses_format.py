"""Responses, read by the official SDK."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
        "additionalProperties": False,
    },
}
CLOCK: Any = {
    "type": "function",
    "name": "get_time",
    "strict": True,
    "parameters": {"type": "object", "properties": {}},
}
CALLS = [
    {"type": "function", "name": "get_time"},
    {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_time"}]},
]


class Language(BaseModel):
    name: str
    use_case: str | None


class Languages(BaseModel):
    languages: list[Language]


@pytest.fixture(params=["whole", "streamed"])
def send_request(request: pytest.FixtureRequest, client: OpenAI) -> Any:
    """Return a function that sends a request and returns the Response, streamed or not."""

    def complete(given: Any = "hi", **more: Any) -> Response:
        return client.responses.create(model="gpt-x", input=given, **more)

    def streamed(given: Any = "hi", **more: Any) -> Response:
        with client.responses.stream(model="gpt-x", input=given, **more) as stream:
            return stream.get_final_response()

    return complete if request.param == "whole" else streamed


def test_a_sentence_quotes_the_user(send_request: Any) -> None:
    demo_response = send_request("What is the capital of France?")
    assert demo_response.status == "completed"
    assert demo_response.id.startswith("resp_")
    assert demo_response.model == "demo/gpt-x"
    assert demo_response.output[0].id.startswith("msg_")
    assert "What is the capital of France?" in demo_response.output_text


def test_input_may_be_items(send_request: Any) -> None:
    item = {"role": "user", "content": [{"type": "input_text", "text": "as a part"}]}
    assert "as a part" in send_request([item]).output_text


def test_usage_adds_up(send_request: Any) -> None:
    usage = send_request("hi", instructions="Be brief.").usage
    assert usage.input_tokens > send_request("hi").usage.input_tokens
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.input_tokens_details.cached_tokens == 0
    assert usage.output_tokens_details.reasoning_tokens == 0


def test_the_requested_settings_are_repeated(send_request: Any) -> None:
    demo_response = send_request(
        "hi", instructions="Be brief.", temperature=0.5, tools=[WEATHER], tool_choice="none"
    )
    assert demo_response.instructions == "Be brief."
    assert demo_response.temperature == 0.5
    assert demo_response.tools[0].name == "get_weather"
    assert demo_response.parallel_tool_calls is True


def test_a_function_is_called_and_its_result_quoted(send_request: Any) -> None:
    (call,) = send_request("Is it warm?", tools=[WEATHER, CLOCK]).output
    assert call.type == "function_call"
    assert call.id.startswith("fc_")
    assert call.call_id.startswith("call_")
    assert call.arguments == '{"location":"demo location"}'
    demo_response = send_request(
        [
            {"role": "user", "content": "Is it warm?"},
            {
                "type": "function_call",
                "call_id": call.call_id,
                "name": call.name,
                "arguments": call.arguments,
            },
            {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"},
        ],
        tools=[WEATHER],
    )
    assert "21 degrees" in demo_response.output_text


def test_functions_named_by_the_user_are_called_together(send_request: Any) -> None:
    calls = send_request("Use get_time and get_weather", tools=[WEATHER, CLOCK]).output
    assert [call.name for call in calls] == ["get_weather", "get_time"]


@pytest.mark.parametrize("choice", CALLS, ids=["function", "allowed_tools"])
def test_tool_choice_decides(send_request: Any, choice: Any) -> None:
    (call,) = send_request(tools=[WEATHER, CLOCK], tool_choice=choice).output
    assert call.name == "get_time"


def test_a_refusal_is_a_part_of_its_own(send_request: Any) -> None:
    demo_response = send_request("please refuse")
    (part,) = demo_response.output[0].content
    assert part.type == "refusal"
    assert "poolgate-demo" in part.refusal
    assert demo_response.output_text == ""


def test_reasoning_comes_first_with_a_summary(send_request: Any) -> None:
    demo_response = send_request("hi", reasoning={"effort": "high", "summary": "auto"})
    reasoning, message = demo_response.output
    assert reasoning.id.startswith("rs_")
    assert reasoning.summary[0].text.startswith("The request has")
    assert reasoning.encrypted_content
    assert message.type == "message"
    assert demo_response.usage.output_tokens_details.reasoning_tokens > 0


def test_no_effort_is_no_reasoning(send_request: Any) -> None:
    (message,) = send_request("hi", reasoning={"effort": "none"}).output
    assert message.type == "message"


@pytest.mark.parametrize("stream", [False, True])
def test_a_token_limit_makes_it_incomplete(client: OpenAI, stream: bool) -> None:
    demo_response: Any = client.responses.create(model="m", input="hi", max_output_tokens=3, stream=stream)
    if stream:
        *_, last = demo_response
        assert last.type == "response.incomplete"
        demo_response = last.response
    assert demo_response.status == "incomplete"
    assert demo_response.incomplete_details.reason == "max_output_tokens"
    assert demo_response.output[0].status == "incomplete"
    assert demo_response.output_text == "This is poolgate"
    assert demo_response.usage.output_tokens == 3


def test_a_limit_may_end_it_while_it_thinks(client: OpenAI) -> None:
    demo_response = client.responses.create(
        model="m", input="hi", max_output_tokens=2, reasoning={"effort": "low"}
    )
    assert [(item.type, item.status) for item in demo_response.output] == [("reasoning", "incomplete")]


def test_json_that_fits_a_model_is_parsed(client: OpenAI) -> None:
    parsed = client.responses.parse(model="m", input="List one", text_format=Languages).output_parsed
    assert parsed == Languages(languages=[Language(name="demo name", use_case="demo use_case")])


def test_a_streamed_response_is_parsed(client: OpenAI) -> None:
    with client.responses.stream(model="m", input="List one", text_format=Languages) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Languages)


def events(client: OpenAI, **more: Any) -> list[Any]:
    return list(client.responses.create(model="m", stream=True, **{"input": "hi", **more}))


def test_events_are_numbered_from_zero(client: OpenAI) -> None:
    numbers = [event.sequence_number for event in events(client)]
    assert numbers == list(range(len(numbers)))


def without_repeats(names: list[str]) -> list[str]:
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


TEXT = ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"]
REFUSAL = ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"]
CALL = ["function_call_arguments.delta", "function_call_arguments.done"]
THOUGHT = [
    "reasoning_summary_part.added",
    "reasoning_summary_text.delta",
    "reasoning_summary_text.done",
    "reasoning_summary_part.done",
]


def item(*inner: str) -> list[str]:
    return ["output_item.added", *inner, "output_item.done"]


@pytest.mark.parametrize(
    ("requested", "items", "end"),
    [
        ({}, item(*TEXT), "completed"),
        ({"input": "please refuse"}, item(*REFUSAL), "completed"),
        ({"tools": [WEATHER]}, item(*CALL), "completed"),
        (
            {"tools": [WEATHER, CLOCK], "input": "get_time, get_weather"},
            item(*CALL) + item(*CALL),
            "completed",
        ),
        ({"reasoning": {"effort": "low"}}, item(*THOUGHT) + item(*TEXT), "completed"),
        ({"max_output_tokens": 2}, item(*TEXT), "incomplete"),
    ],
    ids=["text", "refusal", "call", "calls", "reasoning", "cut"],
)
def test_the_order_of_events(client: OpenAI, requested: Any, items: list[str], end: str) -> None:
    names = [event.type.removeprefix("response.") for event in events(client, **requested)]
    assert without_repeats(names) == ["created", "in_progress", *items, end]


@pytest.mark.parametrize("requested", [{}, {"input": "please refuse"}, {"tools": [WEATHER]}])
def test_deltas_add_up_to_what_is_done(client: OpenAI, requested: Any) -> None:
    produced = events(client, **requested)
    joined = "".join(event.delta for event in produced if event.type.endswith(".delta"))
    (complete,) = {
        getattr(event, field)
        for event in produced
        for field in ("text", "refusal", "arguments")
        if event.type.endswith(".done") and hasattr(event, field)
    }
    assert joined == complete
