"""The bytes of model output in events."""

from __future__ import annotations

from typing import Any

import pytest

from app.streaming.counting import delta_bytes, text_bytes, written_bytes


def test_bytes_are_those_of_utf_8() -> None:
    assert (text_bytes("abc"), text_bytes("Grüße"), text_bytes("\ud83d")) == (3, 7, 3)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("text", 4),
        ({"type": "output_text", "text": "ab"}, 2),
        ({"type": "function_call", "id": "fc_1", "name": "look_up", "arguments": "{}"}, 2),
        ({"type": "message", "content": [{"text": "ab"}, {"refusal": "no"}]}, 4),
        (["not counted", {"text": "ab"}], 2),
        (None, 0),
        (7, 0),
    ],
)
def test_names_ids_and_types_do_not_count(value: Any, size: int) -> None:
    assert written_bytes(value) == size


def test_reasoning_under_several_names_counts_once() -> None:
    assert delta_bytes({"reasoning": "abc", "reasoning_content": "abc", "content": "de"}) == 5
