"""What OpenAI's chat API is not sent, since it refuses what other services add."""

from __future__ import annotations

import copy

import pytest

from app.translation.requests.foreign_fields import without_foreign_fields

FUNCTION = {"name": "f", "arguments": "{}"}
CALL = {"id": "c", "type": "function", "function": FUNCTION}
SIGNED = {"google": {"thought_signature": "c2ln"}}
HINT = {"cache_control": {"type": "ephemeral"}}
TEXT = {"type": "text", "text": "a"}
ASSISTANT = {"role": "assistant", "content": "a"}


def cleaned(*messages: dict, **body) -> tuple[dict, list[str]]:
    sent = {"messages": list(messages), **body}
    before, lost = copy.deepcopy(sent), {}
    out = without_foreign_fields(sent, lost)
    assert sent == before  # other attempts need it
    return out, list(lost)


@pytest.mark.parametrize(
    "key",
    [
        *("reasoning", "reasoning_content", "reasoning_details", "thinking_blocks"),
        *("extra_content", "provider_specific_fields", "cache_control"),
    ],
)
def test_keys_of_messages(key):
    assert cleaned({**ASSISTANT, key: ["x"]}) == ({"messages": [ASSISTANT]}, [f"messages.{key}"])
    assert cleaned({**ASSISTANT, key: ""}) == ({"messages": [ASSISTANT]}, [])  # nothing is lost


def test_fields_that_the_gateway_added_are_not_reported():
    assert cleaned({**ASSISTANT, "content_parts": [TEXT]}) == ({"messages": [ASSISTANT]}, [])


def test_signatures_of_calls():
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{**CALL, "index": 0, "extra_content": SIGNED}],
    }

    out, lost = cleaned(message)

    assert out["messages"] == [{**message, "tool_calls": [CALL]}]
    assert lost == ["messages.extra_content"]


@pytest.mark.parametrize("kind", ["thinking", "reasoning", "reference"])
def test_parts_of_an_assistant(kind):
    """Mistral's thinking and citations, among its texts."""
    out, lost = cleaned({**ASSISTANT, "content": [{"type": kind, kind: "x"}, TEXT]})

    assert (out["messages"], lost) == ([{**ASSISTANT, "content": [TEXT]}], [f"messages.{kind}"])


def test_message_without_other_content():
    """The API refuses an empty array."""
    out, _ = cleaned({**ASSISTANT, "content": [{"type": "thinking", "thinking": "x"}]})

    assert out["messages"] == [{**ASSISTANT, "content": ""}]


def test_parts_of_others_stay():
    """Parts of other roles are passed on: the upstream decides about them."""
    message = {"role": "tool", "tool_call_id": "c", "content": [{"type": "reference"}, TEXT]}

    assert cleaned(message) == ({"messages": [message]}, [])


def test_cache_hints_in_functions():
    tool = {"type": "function", "function": {"name": "f"}}

    out, lost = cleaned(ASSISTANT, tools=[{**tool, "function": {"name": "f", **HINT}}, {**tool, **HINT}, "x"])

    assert out["tools"] == [tool, tool, "x"]
    assert lost == ["tools.cache_control"]  # that of a tool is named as a field of the request
