"""Encrypted reasoning and ids that another account cannot read."""

from __future__ import annotations

from typing import Any

import pytest

from app.translation.requests.foreign_state import has_foreign_state, is_unreadable, without_foreign_state
from app.translation.requests.upstream_request import UpstreamRequest

MESSAGE: dict[str, Any] = {"role": "user", "content": "Hi"}
REASONING: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
CALL: dict[str, Any] = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def request(*items: dict[str, Any], protocol: str = "responses") -> UpstreamRequest:
    return UpstreamRequest(protocol, {"input": list(items)}, [])


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (
            400,
            "invalid_encrypted_content",
            "The encrypted content for item rs_1 could not be verified.",
            True,
        ),
        (None, "invalid_encrypted_content", "No", True),
        (400, None, "The encrypted content gAAA… could not be verified.", True),
        (404, None, "Item with id 'rs_1' not found. Items are not persisted.", True),
        (400, None, "Encrypted content item_id did not match the target item id.", True),
        (
            400,
            None,
            "Item 'fc_1' of type 'function_call' was provided without its required 'reasoning' item: 'rs_1'.",
            True,
        ),
        (
            400,
            None,
            "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
            True,
        ),
        (
            400,
            "string_above_max_length",
            "Invalid 'input[1].id': string too long. Expected a string with maximum length 64.",
            True,
        ),
        (400, "invalid_value", "Invalid 'input[12].id': 'x'. Expected an ID that begins with 'fc'.", True),
        (400, "invalid_value", "Invalid 'input[1].id_token'", False),
        (400, "invalid_value", "Invalid 'input[1].call_id': empty string", False),
        (400, "invalid_value", "Invalid value: 'x'", False),
        (500, None, "The encrypted content could not be verified.", False),
    ],
)
def test_errors_about_it(status: int | None, code: str | None, message: str, expected: bool) -> None:
    assert is_unreadable(status, code, message) is expected


def test_is_left_out_and_named() -> None:
    before = request(MESSAGE, REASONING, {**CALL, "id": "fc_1"})

    assert has_foreign_state(before)
    after = without_foreign_state(before)
    assert after.body["input"] == [MESSAGE, CALL]
    assert after.ignored == ["encrypted_content"]
    assert not has_foreign_state(after)


@pytest.mark.parametrize(
    "other",
    [
        request(MESSAGE, CALL),
        request(REASONING, {"type": "compaction", "encrypted_content": "gAAA"}),
        request(REASONING, protocol="chat"),
        UpstreamRequest("responses", {"input": "Hi"}, []),
    ],
    ids=["none", "compaction", "chat", "text"],
)
def test_requests_that_have_none_to_leave_out(other: UpstreamRequest) -> None:
    assert not has_foreign_state(other)
