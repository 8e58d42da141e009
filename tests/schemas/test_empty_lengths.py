"""Lengths below 1 limit nothing: clients send -1 for "no limit", and no server shall choose between two."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits.output_lengths import LENGTH_FIELDS, requested_lengths
from schemas.bifrost_chat import BIFROST_CHAT_REQUEST
from schemas.chat import CHAT_REQUEST
from schemas.responses import RESPONSES_REQUEST

TURN: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
REQUESTS = [("chat", CHAT_REQUEST), ("chat", BIFROST_CHAT_REQUEST), ("responses", RESPONSES_REQUEST)]


@pytest.mark.parametrize(("protocol", "schema"), REQUESTS)
@given(st.data())
def test_all_lengths_that_remain_count(protocol: str, schema: Any, data: st.DataObject) -> None:
    """What is sent and what is reserved is the same."""
    names = LENGTH_FIELDS[protocol]
    lengths = data.draw(
        st.dictionaries(st.sampled_from(names), st.integers(-3, 3) | st.integers(-(2**60), 2**60), max_size=2)
    )

    body = schema.load(TURN | lengths)

    assert {name: body[name] for name in names if name in body} == {
        name: length for name, length in lengths.items() if length > 0
    }
    assert requested_lengths(protocol, body) == [body[name] for name in names if name in body]
