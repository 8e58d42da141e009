"""What servers miss in a conversation, by their words, and its placeholders."""

from __future__ import annotations

from typing import Any

import pytest

from app.translation.requests.missing_state import (
    ABSENT_REASONING,
    ABSENT_SIGNATURE,
    ANY_SIGNATURE,
    STATES,
    lacks_state,
    missing_state,
    with_placeholders,
)

Json = dict[str, Any]

CALL: Json = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SIGNED: Json = {**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}
DUMMY: Json = {**CALL, "extra_content": {"google": {"thought_signature": ANY_SIGNATURE}}}


def conversation(*calls: Json, **more: Any) -> Json:
    called: Json = {"role": "assistant", "content": None, "tool_calls": [*calls], **more}
    user, response = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello."}
    return {"model": "m", "messages": [user, response, called, {"role": "tool", "tool_call_id": "a"}]}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("The `reasoning_content` in the thinking mode must be passed back to the API.", ABSENT_REASONING),
        ("Missing `reasoning_content` field in the assistant message at message index 4.", ABSENT_REASONING),
        (
            "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
            ABSENT_REASONING,
        ),
        (
            "Function call is missing a thought_signature in functionCall parts. Additional data, function"
            " call `default_api:f` , position 2.",
            ABSENT_SIGNATURE,
        ),
        ("Function call `f` in the 1. content block is missing a `thought_signature`.", ABSENT_SIGNATURE),
        ("property 'messages.2.reasoning_content' is unsupported", None),
        ("Thought signature is not valid", None),
    ],
)
def test_words_of_servers(message: str, expected: str | None) -> None:
    assert missing_state(message, conversation(CALL)) == expected
    complete = conversation(SIGNED, reasoning_content="")
    assert missing_state(message, complete) is None, "nothing is absent, so nothing would change"


def test_reasoning_is_filled_in_where_it_is_absent() -> None:
    body = conversation(CALL)

    filled = with_placeholders(body, ABSENT_REASONING)

    assert [message.get("reasoning_content") for message in filled["messages"]] == [None, None, "", None]
    assert with_placeholders(conversation(CALL, reasoning_content="Hm"), ABSENT_REASONING) == conversation(
        CALL, reasoning_content="Hm"
    )
    assert body == conversation(CALL), "the request of the client stays as it is"


def test_the_first_call_of_a_message_is_signed() -> None:
    assert with_placeholders(conversation(CALL, CALL), ABSENT_SIGNATURE) == conversation(DUMMY, CALL)
    assert with_placeholders(conversation(SIGNED, CALL), ABSENT_SIGNATURE) == conversation(SIGNED, CALL)


@pytest.mark.parametrize("name", sorted(STATES))
@pytest.mark.parametrize(
    "messages",
    [
        None,
        [],
        [None, "x", {"role": "assistant"}],
        [{"role": "assistant", "tool_calls": value} for value in (7, [], [7])],
    ],
)
def test_odd_conversations_stay_as_they_are(name: str, messages: Any) -> None:
    body = {"messages": messages}

    assert not lacks_state(body, name)
    assert with_placeholders(body, name)["messages"] == (messages or [])
