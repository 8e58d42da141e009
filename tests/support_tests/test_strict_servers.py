"""The strict servers refuse what the real ones refuse, and answer what is correct."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.strict.gemini import signature
from tests.support.strict.servers import strict_play

Json = dict[str, Any]

STEPS: list[Json] = [
    {"text": "Let me look.", "thought": "Hm.", "calls": [{"do": "read", "path": "/tmp/a"}]},
    {"text": "It is 42.", "thought": "Done."},
]
PARAMETERS = {"type": "object", "properties": {"command": {"type": "string"}}}
ARGUMENTS = '{"command": "cat /tmp/a"}'
TOOL: Json = {"type": "function", "function": {"name": "shell", "parameters": PARAMETERS}}
FLAT: Json = {"type": "function", "name": "shell", "parameters": PARAMETERS}
USER: Json = {"role": "user", "content": "Look"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "ZW5jcnlwdGVkOiBIbS4="}


def chat(call_id: str, call: Json | None = None, **message: Any) -> Json:
    """Return the second request of the session."""
    function = {"name": "shell", "arguments": ARGUMENTS}
    called = {"id": call_id, "type": "function", "function": function, **(call or {})}
    turn = {"role": "assistant", "content": "Let me look.", "tool_calls": [called], **message}
    result = {"role": "tool", "tool_call_id": call_id, "content": "x"}
    return {"model": "m", "stream": True, "messages": [USER, turn, result], "tools": [TOOL]}


REQUESTS: dict[str, Json] = {
    "chat only": chat("call_1"),
    "deepseek": chat("call_00_step0x", reasoning_content="Hm."),
    "gemini": chat("call_1", {"extra_content": signature("shell", ARGUMENTS)}),
    "responses": {
        "model": "m",
        "stream": True,
        "tools": [FLAT],
        "input": [
            USER,
            THOUGHT,
            {"type": "function_call", "call_id": "c", "name": "shell", "arguments": ARGUMENTS},
            {"type": "function_call_output", "call_id": "c", "output": "x"},
        ],
    },
}


def play(server: str, body: Json) -> Json:
    return strict_play({"server": server, "steps": STEPS}, body)


@pytest.mark.parametrize("server", REQUESTS)
def test_a_correct_session(server: str) -> None:
    second = REQUESTS[server]
    field = "input" if server == "responses" else "messages"

    first = play(server, {**second, field: [USER]})
    last = play(server, second)

    assert "cat /tmp/a" in json.dumps(first)
    assert "Let me look." in json.dumps(first)
    assert "It is 42." in json.dumps(last)
    assert last.get("status", 200) == 200


def changed(change: Callable[[Json], Any], server: str) -> Json:
    body = copy.deepcopy(REQUESTS[server])
    change(body)
    return play(server, body)


WRONG: list[tuple[str, Callable[[Json], Any], str]] = [
    ("chat only", lambda body: body.update(store=False), "property 'store' is unsupported"),
    ("chat only", lambda body: body["messages"][1].update(reasoning_content=""), "reasoning_content"),
    ("chat only", lambda body: body["messages"][0].update(role="developer"), "unknown role 'developer'"),
    ("chat only", lambda body: body["tools"][0].update(type="custom"), "only 'function' is supported"),
    ("chat only", lambda body: body["tools"][0]["function"].update(name="a" * 65), "Invalid function name"),
    ("chat only", lambda body: body["messages"].insert(2, USER), "must be followed by tool messages"),
    ("chat only", lambda body: body["messages"].pop(), "must be followed by tool messages"),
    ("chat only", lambda body: body["messages"].pop(1), "must be a response to a preceding message"),
    ("deepseek", lambda body: body["messages"][1].pop("reasoning_content"), "must be passed back"),
    ("deepseek", lambda body: body["messages"][1].update(reasoning_content="Done."), "is not that of"),
    ("deepseek", lambda body: body["messages"][0].update(reasoning_content="Hm."), "only valid in assistant"),
    ("deepseek", lambda body: body["messages"][0].update(role="developer"), "unknown variant `developer`"),
    (
        "deepseek",
        lambda body: body["messages"][2].update(content=[{"type": "text", "text": "x"}]),
        "expected a string",
    ),
    ("gemini", lambda body: body.update(prompt_cache_key="k", store=False), "prompt_cache_key"),
    (
        "gemini",
        lambda body: body["messages"][1]["tool_calls"][0].pop("extra_content"),
        "missing a thought_signature",
    ),
    (
        "gemini",
        lambda body: body["messages"][1]["tool_calls"][0]["function"].update(arguments="{}"),
        "not valid",
    ),
    ("responses", lambda body: body.update(seed=1), "Unknown parameter: 'seed'"),
    ("responses", lambda body: body["input"].pop(), "No tool output found"),
    ("responses", lambda body: body["input"].pop(2), "without its required following item"),
    ("responses", lambda body: body["input"][1].pop("encrypted_content"), "not found"),
    ("responses", lambda body: body["input"][1].update(encrypted_content="eA=="), "could not be verified"),
]


@pytest.mark.parametrize(("server", "change", "words"), WRONG)
def test_a_wrong_request(server: str, change: Callable[[Json], Any], words: str) -> None:
    refused = changed(change, server)

    assert refused["status"] == 400
    assert words in str(json.loads(refused["steps"][0]["send"]))
