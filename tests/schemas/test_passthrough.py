"""Pass-through bodies: only the fields we use are checked."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.passthrough import FORM_REQUESTS, JSON_REQUESTS


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("embeddings", {"model": "m", "input": ["a", [1, 2]], "dimensions": "any"}),
        ("moderations", {"model": "m", "input": "a"}),
        ("completions", {"model": "m", "prompt": "a", "max_tokens": 0, "n": 1}),
        ("audio/speech", {"model": "m", "input": "a", "voice": "alloy"}),
        ("images/generations", {"model": "m", "prompt": "a"}),
    ],
)
def test_other_fields_pass(endpoint: str, body: dict[str, Any]) -> None:
    assert JSON_REQUESTS[endpoint].load(body) == body


def test_moderations_have_a_default_model() -> None:
    assert JSON_REQUESTS["moderations"].load({"input": "a"})["model"] == "omni-moderation-latest"


@pytest.mark.parametrize(
    ("endpoint", "body", "field"),
    [
        ("embeddings", {"model": "m", "input": ""}, "input"),
        ("embeddings", {"input": "a"}, "model"),
        ("completions", {"model": "m", "n": 0}, "n"),
        ("audio/speech", {"model": "m", "input": 1}, "input"),
    ],
)
def test_the_field_of_an_error(endpoint: str, body: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as raised:
        JSON_REQUESTS[endpoint].load(body)

    assert list(raised.value.messages_dict) == [field]


def test_forms_have_a_file_or_a_prompt() -> None:
    assert FORM_REQUESTS["audio/transcriptions"].load({"model": "m", "file": "a.wav"})["file"] == "a.wav"
    with pytest.raises(ValidationError):
        FORM_REQUESTS["images/edits"].load({"model": "m"})
