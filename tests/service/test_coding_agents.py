"""Coding agents of the Responses API in front of servers that support only chat, and those of plain chat."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.test_common_rules import error_of
from tests.service.test_model_responses import PATHS, events_of, streamed_text
from tests.support.gateway import PoolOfTest
from tests.support.strict.servers import SERVERS
from tests.support.strict.session import TITLE
from tests.support.upstream_client import ScriptedUpstream

Json = dict[str, Any]

USER = {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
SHELL = {"type": "function", "name": "shell", "parameters": {"type": "object"}, "strict": False}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
}
SEARCH = {"type": "web_search"}
AGENT: Json = {
    "model": "m",
    "instructions": "Be brief.",
    "input": [{"role": "developer", "content": [{"type": "input_text", "text": "Permissions."}]}, USER],
    "tools": [SHELL, PATCH, SEARCH, {"type": "tool_search"}],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "include": ["reasoning.encrypted_content"],
    "store": False,
}
PDF = {"type": "input_file", "file_url": "https://example.com/a.pdf"}


def called(name: str, arguments: str, finish: str = "tool_calls", **delta: Any) -> Json:
    """Return the play of a chat server that calls a tool."""
    function = {"name": name, "arguments": arguments}
    extra = delta.pop("extra", {})
    call = {"index": 0, "id": "call_1", "type": "function", "function": function, **extra}
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas = [{"role": "assistant", **delta}, {"tool_calls": [call]}]
    choices = [{"index": 0, "delta": one, "finish_reason": None} for one in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": finish}
    return {"play": "events", "events": [{**frame, "choices": [choice]} for choice in [*choices, last]]}


@pytest.fixture
def chat_only(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    pool.account("a", upstream.base_url("a"), kind="compatible", protocols=("chat",))
    return pool


def test_tools_of_upstreams_are_left_out(chat_only: PoolOfTest, upstream: ScriptedUpstream) -> None:
    response = chat_only.post(PATHS["responses"], AGENT, chat_only.key())

    assert response.status_code == 200, response.text
    assert {"tools.web_search", "tools.tool_search"} <= set(
        response.headers["x-poolgate-ignored"].split(", ")
    )
    (seen,) = upstream.log()
    assert seen.body is not None
    assert [tool["function"]["name"] for tool in seen.body["tools"]] == ["shell", "apply_patch"]
    assert seen.body["messages"][0] == {"role": "system", "content": "Be brief.\nPermissions."}


def test_an_account_that_runs_them_is_preferred(chat_only: PoolOfTest, upstream: ScriptedUpstream) -> None:
    chat_only.account("b", upstream.base_url("b"))

    served = {
        chat_only.post(PATHS["responses"], AGENT, chat_only.key(f"k{n}")).headers["x-poolgate-account"]
        for n in range(4)
    }
    chat_only.gateway.services.accounts.pause(chat_only.name, "b")
    response = chat_only.post(PATHS["responses"], AGENT, chat_only.key())

    assert served == {"b"}
    assert (response.status_code, response.headers["x-poolgate-account"]) == (200, "a")


def test_a_forced_tool_needs_an_account_that_runs_it(chat_only: PoolOfTest) -> None:
    response = chat_only.post(PATHS["responses"], {**AGENT, "tool_choice": SEARCH}, chat_only.key())

    assert (response.status_code, error_of(response)["param"]) == (400, "tool_choice")


def test_a_patch_comes_back_as_a_custom_call(chat_only: PoolOfTest, upstream: ScriptedUpstream) -> None:
    api_key = chat_only.key()
    upstream.script(called("apply_patch", '{"input":"*** Begin Patch"}', reasoning_content="Hm"))

    first = chat_only.post(PATHS["responses"], AGENT, api_key).json()["output"]

    call = next(item for item in first if item["type"] == "custom_tool_call")
    assert (call["name"], call["input"]) == ("apply_patch", "*** Begin Patch")
    output = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "Done."}
    items = [*AGENT["input"], *first, output]
    assert chat_only.post(PATHS["responses"], {**AGENT, "input": items}, api_key).status_code == 200
    body = upstream.log()[-1].body
    assert body is not None
    assert body["messages"][2:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "apply_patch", "arguments": '{"input":"*** Begin Patch"}'},
                }
            ],
            "reasoning_content": "Hm",
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Done."},
    ]


@pytest.mark.parametrize("returns_text", [True, False])
@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_returns_to_the_server(
    chat_only: PoolOfTest, upstream: ScriptedUpstream, key: str, returns_text: bool
) -> None:
    """Under its own key; the Codex CLI returns no reasoning text, only what is encrypted."""
    api_key = chat_only.key()
    upstream.script(called("shell", "{}", **{key: "Hm"}))
    first = chat_only.post(PATHS["responses"], AGENT, api_key).json()["output"]
    if not returns_text:
        first = [{name: value for name, value in item.items() if name != "content"} for item in first]
    output = {"type": "function_call_output", "call_id": "call_1", "output": "x"}

    chat_only.post(PATHS["responses"], {**AGENT, "input": [USER, *first, output]}, api_key)

    body = upstream.log()[-1].body
    assert body is not None
    (sent,) = [message for message in body["messages"] if message["role"] == "assistant"]
    assert sent[key] == "Hm"


def test_signatures_return_to_the_server(chat_only: PoolOfTest, upstream: ScriptedUpstream) -> None:
    api_key = chat_only.key()
    extra = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    upstream.script(called("shell", "{}", extra=extra))
    first = chat_only.post(PATHS["responses"], AGENT, api_key).json()["output"]
    echoed = [
        {name: value for name, value in item.items() if name not in ("id", "status", "content")}
        for item in first
    ]
    output = {"type": "function_call_output", "call_id": "call_1", "output": "x"}

    chat_only.post(PATHS["responses"], {**AGENT, "input": [USER, *echoed, output]}, api_key)

    body = upstream.log()[-1].body
    assert body is not None
    (sent,) = [message for message in body["messages"] if message["role"] == "assistant"]
    assert sent["tool_calls"][0]["extra_content"] == extra["extra_content"]


def test_content_decides_which_accounts_are_eligible(
    chat_only: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """A chat server takes no file by its address, so the request is never sent to one."""
    body = {"model": "m", "input": [{"role": "user", "content": [PDF]}]}
    refused = chat_only.post(PATHS["responses"], body, chat_only.key())
    chat_only.account("b", upstream.base_url("b"))

    served = {
        chat_only.post(PATHS["responses"], body, chat_only.key(f"k{n}")).headers["x-poolgate-account"]
        for n in range(4)
    }

    assert (refused.status_code, error_of(refused)["param"]) == (400, "input")
    assert served == {"b"}


CLINE: Json = {
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0,
    "messages": [
        {"role": "system", "content": "Use tools as <read_file><path>x</path></read_file>."},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "<task>Read</task>"}]},
        {"role": "assistant", "content": "<read_file><path>a</path></read_file>"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "[read_file] Result:"}, {"type": "text", "text": "42"}],
        },
    ],
}


@pytest.mark.parametrize("server", SERVERS)
def test_an_agent_whose_tools_are_texts(pool: PoolOfTest, upstream: ScriptedUpstream, server: str) -> None:
    """As Cline does it: everything is a text, and servers that keep to their vendors' rules get all of it."""
    protocol = "responses" if server == "responses" else "chat"
    pool.account("a", upstream.base_url(), kind="compatible", protocols=(protocol,))
    upstream.script({"play": "strict", "server": server, "steps": []})

    answer = pool.post(PATHS["chat"], CLINE, pool.key(), stream=True)

    assert answer.status_code == 200, answer.text
    assert streamed_text("chat", events_of(answer.text)) == TITLE
    sent = str(upstream.log()[-1].body)
    texts = ["<read_file><path>x</path>", "Be brief.", "<task>Read</task>", "<path>a</path>", "Result:", "42"]
    assert [text for text in texts if text not in sent] == []
    assert "x-poolgate-ignored" not in answer.headers
