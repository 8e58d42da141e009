"""
What clients put inside messages, items and tools reaches the upstream, or is named in `x-poolgate-ignored`.

Every text `LOSABLE-…` of a request marks something that an account may not be able to take. What it may
take under any account is plain text.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.service.test_fidelity import IMAGE
from tests.service.test_model_responses import PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Json = dict[str, Any]

ACCOUNTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "openai": ("openai", ("chat", "responses")),
    "chat only": ("compatible", ("chat",)),
    "responses only": ("compatible", ("responses",)),
    "chatgpt": ("chatgpt", ("responses",)),
}
MARK = re.compile(r"LOSABLE-([a-z_.]+)")
QUESTION: Json = {"role": "user", "content": "Hi"}
CALL: Json = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED: Json = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT: Json = {"role": "tool", "tool_call_id": "c", "content": "x"}
FUNCTION: Json = {"name": "f", "parameters": {"type": "object", "properties": {}}}
FLAT: Json = {"type": "function", **FUNCTION}
CALL_ITEM: Json = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT_ITEM: Json = {"type": "function_call_output", "call_id": "c", "output": "x"}


def mark(name: str) -> str:
    """Return a text that may be left out if *name* is named."""
    return f"LOSABLE-{name}"


def part(kind: str, **more: Any) -> Json:
    return {"type": kind, **more}


def messages(*given: Json, **more: Any) -> Json:
    return {"messages": [QUESTION, *given], **more}


def items(*given: Json, **more: Any) -> Json:
    return {"input": [QUESTION, *given], **more}


SIGNED: Json = {"google": {"thought_signature": mark("messages.extra_content")}}
CHAT: dict[str, Json] = {
    "reasoning_content": messages(
        {**CALLED, "reasoning_content": mark("messages.reasoning_content")}, RESULT
    ),
    "reasoning": messages({"role": "assistant", "content": "a", "reasoning": mark("messages.reasoning")}),
    "reasoning_details": messages(
        {
            **CALLED,
            "reasoning_details": [
                {"type": "reasoning.encrypted", "data": mark("messages.reasoning_details")}
            ],
        },
        RESULT,
    ),
    "signature of a call": messages({**CALLED, "tool_calls": [{**CALL, "extra_content": SIGNED}]}, RESULT),
    "signature of a message": messages({"role": "assistant", "content": "a", "extra_content": SIGNED}),
    "thinking": messages(
        {
            "role": "assistant",
            "content": [part("thinking", thinking=mark("messages.thinking")), part("text", text="a")],
        }
    ),
    "odd part of a result": messages(
        CALLED, {**RESULT, "content": [part("text", text="x"), part("json", json={"a": "MUST"})]}
    ),
    "odd part next to an image": messages(
        CALLED,
        {
            **RESULT,
            "content": [
                part("text", text="x"),
                part("json", json="MUST"),
                part("image_url", image_url={"url": IMAGE}),
            ],
        },
    ),
    "keys of parts": messages(
        {
            "role": "user",
            "content": [
                part("text", text="a", more=mark("messages.more")),
                part("image_url", image_url={"url": IMAGE, "format": mark("messages.format")}),
            ],
        }
    ),
    "citations of a part": messages(
        {
            "role": "assistant",
            "content": [part("output_text", text="a", annotations=[{"url": mark("messages.annotations")}])],
        }
    ),
    "prefix": messages({"role": "assistant", "content": "a", "prefix": mark("messages.prefix")}),
    "schema of an object": messages(
        {"role": "user", "content": "json"},
        response_format={"type": "json_object", "schema": {"title": mark("response_format.schema")}},
    ),
    "thinking off": messages(thinking={"type": "disabled", "why": mark("thinking")}),
}
RESPONSES: dict[str, Json] = {
    "reasoning before a question": items(
        part("reasoning", content=[part("reasoning_text", text=mark("input.reasoning"))], summary=[]),
        QUESTION,
    ),
    "reasoning of a call": items(
        part("reasoning", content=[part("reasoning_text", text="MUST")], summary=[]), CALL_ITEM, RESULT_ITEM
    ),
    "format": items(text={"format": part("json_schema", name="n", schema={}, more=mark("text.format.more"))}),
    "grammar of an unknown kind": items(
        tools=[part("custom", name="c", format=part("odd", more=mark("tools.format")))]
    ),
    "reasoning of an assistant": items(
        {"role": "assistant", "content": "a", "reasoning_content": mark("input.reasoning_content")}
    ),
    "LangChain's reasoning": items(
        {
            "role": "assistant",
            "content": [
                part("reasoning", summary=[part("summary_text", text=mark("input.reasoning"))]),
                part("text", text="a"),
            ],
        }
    ),
    "calls of an assistant": items(
        {"role": "assistant", "content": "a", "tool_calls": [{**CALL, "id": mark("input.tool_calls")}]}
    ),
    "messages": messages({"role": "assistant", "content": "a", "reasoning": mark("messages.reasoning")}),
    "thinking budget": items(thinking={"type": "enabled", "budget": mark("thinking")}),
    "name": items({**QUESTION, "name": mark("input.name")}),
    "stream options": items(stream=True, stream_options={"more": mark("stream_options.more")}),
    "odd part of a result": items(
        CALL_ITEM,
        {"role": "tool", "tool_call_id": "c", "content": [part("text", text="x"), part("json", json="MUST")]},
    ),
    "hosted tool": items(tools=[FLAT, part("mcp", server_label=mark("tools.mcp"))]),
}
SHAPES = [*(("chat", name) for name in CHAT), *(("responses", name) for name in RESPONSES)]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_what_is_not_sent_is_named(pool: PoolOfTest, upstream: ScriptedUpstream, account: str) -> None:
    kind, protocols = ACCOUNTS[account]
    url = f"{upstream.root_url()}/backend-api" if kind == "chatgpt" else upstream.base_url()
    pool.account("a", url, kind=kind, protocols=protocols)
    key, faults = pool.key(), {}

    for protocol, name in SHAPES:
        given = (CHAT if protocol == "chat" else RESPONSES)[name]
        count = len(upstream.log())
        response = pool.post(PATHS[protocol], {"model": "m", **given}, key)
        sent = str([seen.body for seen in upstream.log()[count:]])
        ignored = response.headers.get("x-poolgate-ignored", "").split(", ")
        lost = [
            found for found in MARK.findall(str(given)) if mark(found) not in sent and found not in ignored
        ]
        if response.status_code != 200 or lost or ("MUST" in str(given) and "MUST" not in sent):
            faults[protocol, name] = (response.status_code, lost, ignored)

    assert faults == {}
