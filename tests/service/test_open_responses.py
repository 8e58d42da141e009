"""Every response object, whole and in a stream, is valid under the public Open Responses schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

SCHEMA: dict[str, Any] = orjson.loads((Path(__file__).parent / "open_responses" / "schema.json").read_bytes())
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}


def user(content: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": content}


# What the project's acceptance tests send, and settings in part.
REQUESTS: dict[str, dict[str, Any]] = {
    "text": {"input": [user("Say hello in exactly 3 words.")]},
    "system": {
        "input": [{"type": "message", "role": "system", "content": "You are a pirate."}, user("Hello.")]
    },
    "tool": {"input": [user("What is the weather in Paris?")], "tools": [WEATHER]},
    "forced tool": {
        "input": [user("What is the weather in Paris?")],
        "tools": [{"type": "function", "name": "get_weather"}],
        "tool_choice": {"type": "function", "name": "get_weather"},
    },
    "image": {
        "input": [user([{"type": "input_text", "text": "?"}, {"type": "input_image", "image_url": PIXEL}])]
    },
    "turns": {
        "input": [user("I am Alice."), {"role": "assistant", "content": "Hello Alice!"}, user("My name?")]
    },
    "limit": {"input": [user("Say much.")], "max_output_tokens": 16},
    "settings": {
        "input": "Hello",
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"},
        "temperature": 0.5,
    },
    "json": {"input": "An object, please.", "text": {"format": {"type": "json_object"}}},
    "null": dict.fromkeys(("temperature", "top_p", "tools", "metadata", "service_tier"), None)
    | {"input": "Hello"},
}


@cache
def validator(entry: str) -> Any:
    schema = SCHEMA["response"] if entry == "response" else SCHEMA["events"].get(entry)
    return schema and jsonschema_rs.Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]})


def faults(entry: str, value: Any) -> list[str]:
    """Return what is wrong with *value*, a response or an event of type *entry*; unknown types are free."""
    check = validator(entry)
    return (
        check and [f"{entry}: {list(e.instance_path)}: {e.message}" for e in check.iter_errors(value)]
    ) or []


def streamed(pool: PoolOfTest, body: dict[str, Any], key: str) -> list[dict[str, Any]]:
    response = pool.post("/v1/responses", {**body, "stream": True}, key)
    assert response.status_code == 200, response.text
    data = [line[6:] for line in response.content.split(b"\n") if line.startswith(b"data: ")]
    return [orjson.loads(each) for each in data]


@pytest.fixture(params=["chat-only", "demo"])
def served(pool: PoolOfTest, upstream: ScriptedUpstream, request: pytest.FixtureRequest) -> PoolOfTest:
    """A pool of one account: a server that knows chat alone, or the demo account, which answers natively."""
    chat_only = request.param == "chat-only"
    pool.account(
        "a", upstream.base_url(), kind="compatible", protocols=("chat",) if chat_only else ("responses",)
    )
    return pool


def test_requests(served: PoolOfTest) -> None:
    key, found = served.key(), {}
    for name, request in REQUESTS.items():
        body = {"model": "gpt-5.2", **request}
        complete = served.post("/v1/responses", body, key)
        assert complete.status_code == 200, (name, complete.text)
        events = streamed(served, body, key)
        snapshots = [event["response"] for event in events if "response" in event]
        assert [each["status"] for each in snapshots[:2]] == ["in_progress"] * 2
        assert snapshots[-1]["status"] == complete.json()["status"] in ("completed", "incomplete")
        assert (snapshots[-1]["completed_at"] is None) == (snapshots[-1]["status"] != "completed")
        wrong = faults("response", complete.json())
        wrong += [fault for each in snapshots for fault in faults("response", each)]
        wrong += [fault for event in events for fault in faults(event["type"], event)]
        found[name] = wrong

    assert not {name: wrong for name, wrong in found.items() if wrong}


def test_usage_details_that_no_one_reported(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """SDKs read both details of the usage without a check."""
    pool.account("a", upstream.base_url(), kind="compatible", protocols=("chat",))
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    choice = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    completion = {
        **chunk,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": choice["delta"], "finish_reason": "stop"}],
        "usage": usage,
    }
    plays = {
        "streamed": {"play": "events", "events": [chunk, {**chunk, "choices": [], "usage": usage}]},
        "whole": {"play": "json", "body": completion},
    }
    upstream.script({"play": "fitting", "plays": {"chat": plays}})
    body, key = {"model": "m", "input": "Hello"}, pool.key()

    for response in (pool.post("/v1/responses", body, key).json(), streamed(pool, body, key)[-1]["response"]):
        assert response["usage"]["input_tokens_details"] == {"cached_tokens": 0}
        assert response["usage"]["output_tokens_details"] == {"reasoning_tokens": 0}
        assert not faults("response", response)


@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_a_failure_in_the_stream(pool: PoolOfTest, upstream: ScriptedUpstream, protocol: str) -> None:
    """The failed response has every field as well."""
    pool.account("a", upstream.base_url(), kind="compatible", protocols=(protocol,))
    upstream.script({"play": "error_in_stream", "after": 2, "text": "Half an answer", "deltas": 4})

    *_, last = streamed(pool, {"model": "m", "input": "Hello", "tools": [WEATHER]}, pool.key())

    assert last["type"] == "response.failed"
    assert last["response"]["error"]["code"]
    assert not faults("response.failed", last)
