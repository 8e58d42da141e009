"""The body of POST /v1/responses/compact is a conversation."""

from __future__ import annotations

import pytest
from marshmallow import ValidationError

from schemas.compact import COMPACT_REQUEST

CONVERSATION = {"model": "m", "input": "hi", "instructions": "Be brief.", "prompt_cache_key": "k"}


def test_other_fields_are_dropped() -> None:
    body = {**CONVERSATION, "tools": [{"type": "nonsense"}], "stream": True, "unknown": 1}

    assert COMPACT_REQUEST.load(body) == CONVERSATION


def test_a_conversation_is_required() -> None:
    with pytest.raises(ValidationError):
        COMPACT_REQUEST.load({"model": "m"})
