"""Requests are repeated without what a server refuses, and the account remembers it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Json = dict[str, Any]

TEXT: Json = {"play": "text", "text": "Hello."}


def refusal(message: str, status: int = 400, **more: Any) -> Json:
    body = {"error": {"message": message, "type": "invalid_request_error", **more}}
    return {"play": "http_error", "status": status, "body": body}


def sent_bodies(upstream: ScriptedUpstream) -> list[Json]:
    return [seen.body or {} for seen in upstream.log() if seen.method == "POST"]


def test_a_refused_field_is_left_out_once_and_from_then_on(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    account = pool.account("a", upstream.base_url())
    body = {**BODIES["chat"], "prompt_cache_key": "k"}
    upstream.script(refusal("property 'prompt_cache_key' is unsupported"), TEXT)

    key = pool.key()
    first, second = (pool.post(PATHS["chat"], body, key) for _ in range(2))

    for response in (first, second):
        assert response.status_code == 200
        assert response.headers["x-poolgate-ignored"] == "prompt_cache_key"
    assert ["prompt_cache_key" in sent for sent in sent_bodies(upstream)] == [True, False, False]
    row, _ = pool.wait_for_rows(2)
    assert row["attempts"][0]["repeated_without"] == ["prompt_cache_key"]
    stored = pool.gateway.services.accounts.find_without_credential(pool.name, "a")
    assert [each.field for each in stored.refused] == ["prompt_cache_key"]
    assert stored.version > account.version


@pytest.mark.parametrize("wire", ["chat", "responses"])
def test_a_choice_of_allowed_tools(pool: PoolOfTest, upstream: ScriptedUpstream, wire: str) -> None:
    """A server without it is sent these tools alone, which means the same; nothing is ignored."""
    pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in "ab"]
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "b"}]}
    upstream.script(refusal("Input should be 'none', 'auto' or 'required': tool_choice", 422), TEXT)
    key, body = pool.key(), {**BODIES["responses"], "tools": tools, "tool_choice": choice}

    for _ in range(2):
        response = pool.post(PATHS["responses"], body, key)
        assert response.status_code == 200, response.text
        assert "x-poolgate-ignored" not in response.headers

    first, *later = sent_bodies(upstream)
    assert first["tool_choice"]["type"] == "allowed_tools"
    assert [(len(sent["tools"]), sent["tool_choice"]) for sent in later] == [(1, "auto")] * 2


def test_what_was_refused_can_be_forgotten(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    body = {**BODIES["chat"], "prompt_cache_key": "k"}
    upstream.script(refusal("property 'prompt_cache_key' is unsupported"), TEXT)
    key = pool.key()
    pool.post(PATHS["chat"], body, key)

    pool.gateway.services.accounts.forget_refused(pool.name, "a")

    assert "x-poolgate-ignored" not in pool.post(PATHS["chat"], body, key).headers
    assert "prompt_cache_key" in sent_bodies(upstream)[-1]


def test_the_output_length_gets_its_older_name(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    detail = [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"], "msg": "Extra inputs"}]
    upstream.script({"play": "http_error", "status": 422, "body": {"detail": detail}}, TEXT)

    response = pool.post(PATHS["chat"], {**BODIES["chat"], "max_completion_tokens": 20}, pool.key())

    assert response.status_code == 200
    assert "x-poolgate-ignored" not in response.headers
    assert sent_bodies(upstream)[-1]["max_tokens"] == 20
    assert "max_completion_tokens" not in sent_bodies(upstream)[-1]


def test_a_field_that_changes_the_response_is_not_left_out(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(refusal("Unsupported parameter: 'reasoning_effort'", code="unsupported_parameter"))

    response = pool.post(PATHS["chat"], {**BODIES["chat"], "reasoning_effort": "high"}, pool.key())

    assert (response.status_code, response.json()["error"]["code"]) == (400, "unsupported_parameter")
    assert all("reasoning_effort" in sent for sent in sent_bodies(upstream))


def test_the_role_of_developers_gets_its_older_name(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url(), kind="compatible")
    upstream.script(refusal("messages[0].role: unknown variant `developer`, expected one of `system`"), TEXT)
    note = {"role": "developer", "content": "Be brief."}
    body = {**BODIES["chat"], "messages": [note, {"role": "user", "content": "Hi"}]}
    key = pool.key()

    responses = [pool.post(PATHS["chat"], body, key) for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200]
    roles = [sent["messages"][0]["role"] for sent in sent_bodies(upstream)]
    assert roles == ["developer", "system", "system"]


def test_a_server_that_has_to_stream(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    message = "parameter.enable_thinking must be set to false for non-streaming calls"
    plays = {"chat": {"whole": refusal(message), "streamed": TEXT}}
    upstream.script({"play": "fitting", "plays": plays})

    key = pool.key()
    responses = [pool.post(PATHS["chat"], BODIES["chat"], key) for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200]
    assert [sent["stream"] for sent in sent_bodies(upstream)] == [False, True, True]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("The encrypted content for item rs_1 could not be verified.", "invalid_encrypted_content"),
        ("Item 'rs_1' of type 'reasoning' was provided without its required following item.", None),
        (
            "Invalid 'input[1].id': string too long. Expected a maximum length of 64.",
            "string_above_max_length",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_state_of_another_account(
    pool: PoolOfTest, upstream: ScriptedUpstream, message: str, code: str | None, stream: bool
) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(refusal(message, code=code), TEXT)
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    question = {"role": "user", "content": "Hi"}

    body = {**BODIES["responses"], "input": [question, reasoning, question], "stream": stream}
    response = pool.post(PATHS["responses"], body, pool.key())

    assert response.status_code == 200
    assert response.headers["x-poolgate-ignored"] == "encrypted_content"
    items = [item.get("type", "message") for item in sent_bodies(upstream)[-1]["input"]]
    assert items == ["message", "message"]
    (row,) = pool.wait_for_rows(1)
    assert row["attempts"][0]["repeated_without"] == ["encrypted_content"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("form", ["failed", "error", "nested"])
def test_state_of_another_account_that_a_200_refuses(
    pool: PoolOfTest, upstream: ScriptedUpstream, form: str, stream: bool
) -> None:
    """Nothing was produced, so nothing is charged, and the account is not blamed."""
    account = pool.account("a", upstream.base_url())
    error = {"type": "invalid_request_error", "code": "invalid_encrypted_content"}
    upstream.script({"play": "responses_error_in_stream", "error": error, "form": form}, TEXT)
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    question = {"role": "user", "content": "Hi"}

    body = {**BODIES["responses"], "input": [reasoning, question], "stream": stream}
    response = pool.post(PATHS["responses"], body, pool.key())

    assert response.status_code == 200, response.text
    assert response.headers["x-poolgate-ignored"] == "encrypted_content"
    (row,) = pool.wait_for_rows(1)
    assert row["attempts"][0]["repeated_without"] == ["encrypted_content"]
    assert "input_tokens" not in row["attempts"][0]
    (stored,) = pool.gateway.services.accounts.snapshot(pool.name)
    assert (stored.id, stored.state) == (account.id, "active")


def test_what_other_accounts_added_to_a_conversation_is_not_sent_to_openai(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """Of DeepSeek, Gemini and Mistral: its API refuses the keys and parts. They are named."""
    pool.account("a", upstream.base_url(), kind="openai")
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    signed = {**call, "extra_content": {"google": {"thought_signature": "c2ln"}}}
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
        {"type": "text", "text": "a"},
    ]
    question, result = (
        {"role": "user", "content": "hi"},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    )
    messages = [
        question,
        {"role": "assistant", "content": None, "reasoning_content": "Hm", "tool_calls": [signed]},
        result,
        {"role": "assistant", "content": parts},
        question,
    ]

    response = pool.post(PATHS["chat"], {"model": "m", "messages": messages}, pool.key())

    (sent,) = sent_bodies(upstream)
    assert sent["messages"] == [
        question,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        result,
        {"role": "assistant", "content": parts[1:]},
        question,
    ]
    named = {"messages.reasoning_content", "messages.extra_content", "messages.thinking"}
    assert set(response.headers["x-poolgate-ignored"].split(", ")) == named


MISSED = {
    "reasoning_content": "The `reasoning_content` in the thinking mode must be passed back to the API.",
    "extra_content": "Function call is missing a thought_signature in functionCall parts.",
}


@pytest.mark.parametrize("field", MISSED)
def test_state_that_a_conversation_lacks_is_filled_in(
    pool: PoolOfTest, upstream: ScriptedUpstream, field: str
) -> None:
    """As after a change of the account; the second request has it from the start."""
    pool.account("a", upstream.base_url(), kind="compatible", protocols=("chat",))
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ]
    upstream.script(refusal(MISSED[field]), TEXT)

    key = pool.key()
    responses = [pool.post(PATHS["chat"], {"model": "m", "messages": messages}, key) for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200]
    assert [field in str(sent) for sent in sent_bodies(upstream)] == [False, True, True]
    row, _ = pool.wait_for_rows(2)
    (repeated,) = row["attempts"][0]["repeated_without"]
    stored = pool.gateway.services.accounts.find_without_credential(pool.name, "a")
    assert [each.field for each in stored.refused] == [repeated]
    assert repeated.startswith("absent_")
