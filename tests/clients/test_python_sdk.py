"""The official `openai` package for Python, pointed at the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from app.limits.limit_syntax import parse_limit
from tests.support.gateway import Gateway, PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

MODEL = "gpt-5.2"
HELLO = [{"role": "user", "content": "Hello"}]
PARAMETERS = {
    "type": "object",
    "properties": {"location": {"type": "string"}},
    "required": ["location"],
    "additionalProperties": False,
}
WEATHER = {"name": "get_weather", "description": "The weather", "parameters": PARAMETERS, "strict": True}
CHAT_TOOLS: Any = [{"type": "function", "function": WEATHER}]
RESPONSES_TOOLS: Any = [{"type": "function", **WEATHER}]


class Person(BaseModel):
    name: str
    age: int


def connect(pool: PoolOfTest, key: str, **more: Any) -> OpenAI:
    return OpenAI(base_url=f"{pool.gateway.url}/v1", api_key=key, **{"max_retries": 0, **more})


@pytest.fixture
def client(served: PoolOfTest) -> Iterator[OpenAI]:
    with connect(served, served.key()) as client:
        yield client


class TestChat:
    def test_a_complete_response(self, client: OpenAI) -> None:
        response = client.chat.completions.create(model=MODEL, messages=HELLO)

        (choice,) = response.choices
        assert response.object == "chat.completion"
        assert choice.finish_reason == "stop"
        assert choice.message.role == "assistant"
        assert choice.message.content.endswith('You wrote: "Hello"')
        assert choice.message.tool_calls is None
        assert (
            response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens > 0
        )

    def test_a_stream(self, client: OpenAI) -> None:
        options: Any = {"include_usage": True}
        with client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options=options
        ) as stream:
            chunks = list(stream)

        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        assert "".join(delta.content or "" for delta in deltas).endswith('You wrote: "Hello"')
        assert [delta.role for delta in deltas] == ["assistant"] + [None] * (len(deltas) - 1)
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices].count("stop") == 1
        assert chunks[-1].choices == []
        assert chunks[-1].usage.total_tokens > 0
        assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1

    def test_the_stream_helper(self, client: OpenAI) -> None:
        with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
            deltas = [event.delta for event in stream if event.type == "content.delta"]
            final = stream.get_final_completion()

        assert final.choices[0].message.content == "".join(deltas)
        assert final.choices[0].finish_reason == "stop"

    def test_parse(self, client: OpenAI) -> None:
        response = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Person)

        assert isinstance(response.choices[0].message.parsed, Person)

    def test_parse_of_a_stream(self, client: OpenAI) -> None:
        with client.chat.completions.stream(model=MODEL, messages=HELLO, response_format=Person) as stream:
            final = stream.until_done().get_final_completion()

        assert isinstance(final.choices[0].message.parsed, Person)

    def test_a_tool_and_its_result(self, client: OpenAI) -> None:
        requested = client.chat.completions.create(model=MODEL, messages=HELLO, tools=CHAT_TOOLS)
        (call,) = requested.choices[0].message.tool_calls
        messages: Any = [
            *HELLO,
            requested.choices[0].message,
            {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"},
        ]

        reply = client.chat.completions.create(model=MODEL, messages=messages, tools=CHAT_TOOLS)

        assert requested.choices[0].finish_reason == "tool_calls"
        assert call.function.name == "get_weather"
        assert set(json.loads(call.function.arguments)) == {"location"}
        assert reply.choices[0].message.content.endswith('which returned: "18 degrees"')

    def test_two_tools_in_a_stream(self, client: OpenAI) -> None:
        tools = [*CHAT_TOOLS, {"type": "function", "function": {**WEATHER, "name": "get_time"}}]
        send_request: Any = [{"role": "user", "content": "Use get_weather and get_time"}]

        with client.chat.completions.stream(model=MODEL, messages=send_request, tools=tools) as stream:
            done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
            message = stream.get_final_completion().choices[0].message

        assert [call.function.name for call in message.tool_calls] == ["get_weather", "get_time"]
        assert len({call.id for call in message.tool_calls}) == 2
        assert [json.loads(event.arguments) for event in done] == [
            json.loads(call.function.arguments) for call in message.tool_calls
        ]

    def test_a_refusal(self, client: OpenAI) -> None:
        send_request: Any = [{"role": "user", "content": "please refuse"}]

        message = client.chat.completions.create(model=MODEL, messages=send_request).choices[0].message
        with client.chat.completions.stream(model=MODEL, messages=send_request) as stream:
            streamed = stream.get_final_completion().choices[0].message

        assert message.content is None
        assert message.refusal == streamed.refusal
        assert "instructed to refuse" in (message.refusal or "")

    def test_a_token_limit(self, client: OpenAI) -> None:
        send_request: Any = [{"role": "user", "content": "Hello " * 40}]
        few: Any = {"model": MODEL, "messages": send_request, "max_completion_tokens": 16}

        assert client.chat.completions.create(**few).choices[0].finish_reason == "length"
        with pytest.raises(openai.LengthFinishReasonError):
            client.chat.completions.parse(**few)


class TestResponses:
    def test_a_complete_response(self, client: OpenAI) -> None:
        response = client.responses.create(model=MODEL, input="Hello", instructions="Be short.")

        assert (response.object, response.status, response.error) == ("response", "completed", None)
        assert response.output_text.endswith('You wrote: "Hello"')
        assert response.output[-1].type == "message"
        assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0

    def test_a_stream(self, client: OpenAI) -> None:
        with client.responses.create(model=MODEL, input="Hello", stream=True) as stream:
            events = list(stream)

        assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
        assert events[-1].type == "response.completed"
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert text == events[-1].response.output_text
        numbers = [event.sequence_number for event in events]
        assert numbers == sorted(set(numbers))

    def test_the_stream_helper(self, client: OpenAI) -> None:
        with client.responses.stream(model=MODEL, input="Hello") as stream:
            deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
            final = stream.get_final_response()

        assert final.output_text == "".join(deltas)

    def test_parse(self, client: OpenAI) -> None:
        response = client.responses.parse(model=MODEL, input="Hello", text_format=Person)

        assert isinstance(response.output_parsed, Person)

    def test_parse_of_a_stream(self, client: OpenAI) -> None:
        with client.responses.stream(model=MODEL, input="Hello", text_format=Person) as stream:
            final = stream.until_done().get_final_response()

        assert isinstance(final.output_parsed, Person)

    @pytest.mark.parametrize("send_request", ["create", "stream"])
    def test_a_tool_and_its_result(self, client: OpenAI, send_request: str) -> None:
        """The model's output is sent back unchanged, as in the API's guide."""
        context: list[Any] = [{"role": "user", "content": "Hello"}]
        if send_request == "create":
            requested = client.responses.create(model=MODEL, input=context, tools=RESPONSES_TOOLS)
        else:
            with client.responses.stream(model=MODEL, input=context, tools=RESPONSES_TOOLS) as stream:
                requested = stream.get_final_response()
        (call,) = (item for item in requested.output if item.type == "function_call")
        context += requested.output
        context.append({"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"})

        reply = client.responses.create(model=MODEL, input=context, tools=RESPONSES_TOOLS)

        assert call.name == "get_weather"
        assert set(json.loads(call.arguments)) == {"location"}
        assert reply.output_text.endswith('which returned: "18 degrees"')

    def test_a_refusal(self, client: OpenAI) -> None:
        with client.responses.stream(model=MODEL, input="please refuse") as stream:
            final = stream.get_final_response()

        (part,) = final.output[-1].content
        assert part.type == "refusal"
        assert "instructed to refuse" in part.refusal

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_token_limit(self, client: OpenAI, stream: bool) -> None:
        if stream:
            with client.responses.create(
                model=MODEL, input="Hello", max_output_tokens=3, stream=True
            ) as events:
                *_, last = events
                assert last.type == "response.incomplete"
                response = last.response
        else:
            response = client.responses.create(model=MODEL, input="Hello", max_output_tokens=3)

        assert response.status == "incomplete"
        assert response.incomplete_details.reason == "max_output_tokens"

    def test_thinking_that_is_sent_back(self, client: OpenAI) -> None:
        """A reasoning item of one turn is accepted in the next, by any account."""
        context: list[Any] = [{"role": "user", "content": "Hello"}]
        effort: Any = {"effort": "high", "summary": "auto"}
        first = client.responses.create(model=MODEL, input=context, reasoning=effort)
        context += [*first.output, {"role": "user", "content": "And now?"}]

        second = client.responses.create(model=MODEL, input=context, reasoning=effort)

        assert first.usage.output_tokens_details.reasoning_tokens > 0
        assert second.output_text.endswith('You wrote: "And now?"')


class TestModels:
    def test_list(self, client: OpenAI) -> None:
        models = client.models.list().data

        assert [model.id for model in models] == ["gpt-4.1", "gpt-5.2"]
        assert {model.object for model in models} == {"model"}
        assert all(model.created > 0 and model.owned_by for model in models)

    def test_retrieve(self, client: OpenAI) -> None:
        assert client.models.retrieve("gpt-4.1").id == "gpt-4.1"

    def test_one_that_is_not_there(self, client: OpenAI) -> None:
        with pytest.raises(openai.NotFoundError) as reply:
            client.models.retrieve("gpt-9")

        assert (reply.value.code, reply.value.param) == ("model_not_found", "model")


CALLS: dict[str, Callable[..., Any]] = {
    "chat": lambda client, **more: client.chat.completions.create(
        **{"model": MODEL, "messages": HELLO, **more}
    ),
    "responses": lambda client, **more: client.responses.create(**{"model": MODEL, "input": "Hello", **more}),
}


@pytest.mark.parametrize("endpoint", CALLS)
@pytest.mark.parametrize("stream", [False, True])
class TestErrors:
    """Every class the SDK knows is raised with its code, and before a stream is handed out."""

    @pytest.fixture
    def reply(
        self, pool: PoolOfTest, endpoint: str, stream: bool
    ) -> Callable[..., tuple[openai.APIStatusError, int]]:
        """Send a request, and return the SDK's exception and how many requests it took."""

        def send_request(key: str, *, max_retries: int = 0, **more: Any) -> tuple[openai.APIStatusError, int]:
            with connect(pool, key, max_retries=max_retries) as client:
                answered = count_responses(client)
                with pytest.raises(openai.APIStatusError) as reply:
                    CALLS[endpoint](client, stream=stream, **more)
                return reply.value, len(answered)

        return send_request

    def test_400(self, pool: PoolOfTest, reply: Any) -> None:
        error, _ = reply(pool.key(), extra_body={"tools": "none"})

        assert type(error) is openai.BadRequestError
        assert error.response.headers["x-should-retry"] == "false"
        assert (error.code, error.type, error.param) == (
            "invalid_request_error",
            "invalid_request_error",
            "tools",
        )
        assert error.body["message"] == "tools must be an array of tools"

    def test_401(self, pool: PoolOfTest, reply: Any) -> None:
        error, _ = reply(f"{pool.key()}x")

        assert type(error) is openai.AuthenticationError
        assert (error.code, error.type, error.param) == ("invalid_api_key", "authentication_error", None)

    def test_403(self, pool: PoolOfTest, reply: Any) -> None:
        error, _ = reply(pool.key(models=("gpt-4.1",)))

        assert type(error) is openai.PermissionDeniedError
        assert (error.code, error.type) == ("model_not_allowed", "invalid_request_error")
        assert error.body["message"] == "This API key does not have access to model 'gpt-5.2'"

    def test_404(self, pool: PoolOfTest, upstream: ScriptedUpstream, reply: Any) -> None:
        """No account has the model: it is the upstream that knows."""
        body = {
            "error": {"message": "No such model", "type": "invalid_request_error", "code": "model_not_found"}
        }
        upstream.script({"play": "http_error", "status": 404, "body": body})
        pool.account("a", upstream.base_url())

        error, _ = reply(pool.key())

        assert type(error) is openai.NotFoundError
        assert (error.code, error.type) == ("model_not_found", "invalid_request_error")

    @pytest.mark.parametrize("limit", ["1 requests/ever", "1 requests/month"])
    def test_429(self, pool: PoolOfTest, upstream: ScriptedUpstream, reply: Any, limit: str) -> None:
        """The SDK does not repeat a request that its limit refuses for a long time."""
        pool.account("a", upstream.base_url())
        key = pool.key(limits=(parse_limit(limit),))
        assert pool.post("/v1/responses", {"model": MODEL, "input": "Hello"}, key).ok

        error, requests = reply(key, max_retries=2)

        assert type(error) is openai.RateLimitError
        assert requests == 1
        assert (error.code, error.type, error.param) == ("rate_limit_exceeded", "rate_limit_error", None)

    def test_502(self, pool: PoolOfTest, upstream: ScriptedUpstream, reply: Any) -> None:
        upstream.script(
            {"status": 200, "headers": {"content-type": "text/html"}, "steps": [{"send": "<html>"}]}
        )
        pool.account("a", upstream.base_url())

        error, requests = reply(pool.key(), max_retries=1)

        assert (type(error), error.status_code) == (openai.InternalServerError, 502)
        assert requests == 2  # nothing stops the SDK from retrying
        assert (error.code, error.type) == ("upstream_protocol_error", "server_error")

    def test_503(self, pool: PoolOfTest, reply: Any) -> None:
        error, requests = reply(pool.key(), max_retries=2)

        assert (type(error), error.status_code) == (openai.InternalServerError, 503)
        assert requests == 1  # only an operator can help
        assert (error.code, error.type) == ("no_accounts", "server_error")


def count_responses(client: OpenAI) -> list[int]:
    """Return a list that has the status of every response from now on."""
    statuses: list[int] = []
    hooks = client._client.event_hooks
    client._client.event_hooks = {
        **hooks,
        "response": [*hooks["response"], lambda response: statuses.append(response.status_code)],
    }
    return statuses


class TestBrokenStreams:
    """A stream that breaks after its first words is never a finished one."""

    @pytest.fixture
    def client(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> Iterator[OpenAI]:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "text": "Half of it", "deltas": 4, "at": {"2": [{"reset": True}]}})
        with connect(pool, pool.key()) as client:
            yield client

    def test_chat_raises(self, client: OpenAI) -> None:
        with (
            client.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as stream,
            pytest.raises(openai.APIError) as reply,
        ):
            list(stream)

        assert (reply.value.code, reply.value.type) == ("stream_incomplete", "server_error")

    def test_responses_end_with_failed(self, client: OpenAI) -> None:
        with client.responses.create(model=MODEL, input="Hello", stream=True) as stream:
            events = list(stream)

        assert events[-1].type == "response.failed"
        assert events[-1].response.status == "failed"
        assert events[-1].response.error.code == "stream_incomplete"

    def test_the_helper_has_no_final_response(self, client: OpenAI) -> None:
        with client.responses.stream(model=MODEL, input="Hello") as stream, pytest.raises(RuntimeError):
            stream.get_final_response()


class TestRequestIds:
    def test_every_object_has_the_id_of_its_response(self, client: OpenAI) -> None:
        assert client.responses.create(model=MODEL, input="Hello")._request_id
        assert client.chat.completions.create(model=MODEL, messages=HELLO)._request_id
        assert client.models.list()._request_id

    def test_the_callers_own(self, client: OpenAI) -> None:
        own = {"x-request-id": "mine-7"}

        assert client.responses.create(model=MODEL, input="Hello", extra_headers=own)._request_id == "mine-7"
        with pytest.raises(openai.BadRequestError) as reply:
            client.responses.create(model="", input="Hello", extra_headers=own)
        assert reply.value.request_id == "mine-7"


async def _send_both(client: openai.AsyncOpenAI) -> tuple[str, str]:
    async with client:
        response = await client.responses.create(model=MODEL, input="Hello")
        text = ""
        async for chunk in await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
            text += chunk.choices[0].delta.content or ""
    return response.output_text, text


def test_the_asynchronous_client(served: PoolOfTest) -> None:
    client = openai.AsyncOpenAI(base_url=f"{served.gateway.url}/v1", api_key=served.key(), max_retries=0)

    complete, streamed = asyncio.run(_send_both(client))

    assert complete == streamed


class TestIdempotency:
    """A retry of the SDK receives what the request that it gave up is answered, which is billed once."""

    @pytest.mark.parametrize("stream", [True, False])
    def test_a_retry_after_a_dropped_connection(
        self, gateway: Gateway, upstream: ScriptedUpstream, stream: bool
    ) -> None:
        pool = gateway.pool()
        pool.account("a", upstream.base_url(), kind="compatible", protocols=("chat",))
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "before": [{"sleep": 1.5}]})
        with connect(pool, pool.key(), timeout=1.0, max_retries=3) as client:
            response = client.chat.completions.with_raw_response.create(
                model=MODEL, messages=HELLO, stream=stream, extra_headers={"Idempotency-Key": "once"}
            )
            reply: Any = response.parse()
            if stream:
                text = "".join(chunk.choices[0].delta.content or "" for chunk in reply if chunk.choices)
            else:
                text = reply.choices[0].message.content

        assert text == "one two"
        assert response.retries_taken > 0
        assert response.headers["idempotent-replayed"] == "true"
        assert len(pool.wait_for_rows(1)) == len(upstream.log()) == 1
