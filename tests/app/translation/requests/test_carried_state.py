"""State of chat servers in reasoning items."""

from __future__ import annotations

import base64

import pytest

from app.translation.requests.carried_state import PREFIX, decode_state, encode_state, is_carried


def test_there_and_back():
    state = {"key": "reasoning", "text": "Hm", "calls": {"c": {"google": {}}}}
    state |= {"details": [{"type": "reasoning.text"}], "late_details": [7]}
    item = {"type": "reasoning", "encrypted_content": encode_state(state)}

    assert is_carried(item)
    assert decode_state(item) == state


@pytest.mark.parametrize("item", [{}, {"encrypted_content": None}, {"encrypted_content": "gAAAA"}])
def test_none(item):
    assert not is_carried(item)


@pytest.mark.parametrize(
    "text", [b"[]", b"x", b"", b'{"key":"secret","text":7,"calls":[],"details":{}}', b"\xff"]
)
def test_anything_else_is_empty(text):
    item = {"encrypted_content": PREFIX + base64.urlsafe_b64encode(text).decode()}

    assert decode_state(item) == {}
