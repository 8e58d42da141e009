"""Owners and labels of API keys are bounded, and are texts that tables and lists can show."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.api_keys import KeyChange
from schemas.key_labels import MAX_LABELS, label_filters
from schemas.validation_errors import first_error

FULL = {f"label-{number}": "ä" * 128 for number in range(MAX_LABELS)}


@pytest.mark.parametrize(
    "fields",
    [{"owner": ""}, {"owner": "x" * 256}, {"labels": {}}, {"labels": FULL}, {"labels": {"a/b.C_d-9": "x y"}}],
)
def test_taken(fields: dict[str, Any]) -> None:
    assert KeyChange().load(fields) == fields


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"owner": "x" * 257}, "owner must have at most 256 characters"),
        ({"owner": "a\nb"}, "owner must not have unprintable characters"),
        ({"owner": "a "}, "owner must not begin or end with a space"),
        ({"owner": None}, "owner must not be null"),
        ({"labels": []}, "labels must be an object"),
        ({"labels": FULL | {"more": "x"}}, "labels must be at most 16"),
        ({"labels": {"": "x"}}, "labels must have names of 1 to 64 letters"),
        ({"labels": {"x" * 65: "x"}}, "labels must have names of 1 to 64 letters"),
        ({"labels": {"-a": "x"}}, "labels must have names of 1 to 64 letters"),
        ({"labels": {"a": ""}}, "labels.a must be a string of 1 to 128 characters"),
        ({"labels": {"a": 1}}, "labels.a must be a string of 1 to 128 characters"),
        ({"labels": {"a": "x" * 129}}, "labels.a must be a string of 1 to 128 characters"),
        ({"labels": {"a": "x,y"}}, "labels.a must not have a comma"),
        ({"labels": {"a": " x"}}, "labels.a must not begin or end with a space"),
        ({"labels": {"a": "x\ty"}}, "labels.a must not have unprintable characters"),
    ],
)
def test_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        KeyChange().load(fields)

    assert first_error(raised.value)[1].startswith(message)


def test_filters() -> None:
    assert label_filters(["env=prod", " tier "]) == {"env": "prod", "tier": ""}
    with pytest.raises(ValidationError) as raised:
        label_filters(["a b"])
    assert first_error(raised.value)[0] == "label"
