"""A response as it begins."""

from __future__ import annotations

import pytest

from app.translation.events.response_object import SETTINGS, failed_response, response_object


def test_defaults():
    response = response_object("resp_1", 7, {"model": "m"})

    assert response["status"] == "in_progress"
    assert (response["id"], response["created_at"], response["model"]) == ("resp_1", 7, "m")
    assert {name: response[name] for name in SETTINGS} == SETTINGS


def test_settings_are_repeated():
    """The response repeats the request's settings, but not its content."""
    request = {
        "model": "m",
        "input": "secret",
        "temperature": 0.5,
        "tools": [{"type": "function", "name": "f"}],
    }
    response = response_object("resp_1", 7, request)

    assert response["temperature"] == 0.5
    assert response["tools"] == [
        {"type": "function", "name": "f", "description": None, "parameters": None, "strict": None}
    ]
    assert "input" not in response


def test_parts_are_complete():
    """An object in the settings has all its fields, also where the request has but some."""
    request = {
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "low"},
        "tools": [{"type": "custom", "name": "c"}, {"type": "function", "name": "f", "strict": True}],
        "temperature": None,
    }
    response = response_object("resp_1", 7, request)

    assert response["reasoning"] == {"effort": "low", "summary": None}
    assert response["text"] == {
        "format": {"type": "json_schema", "name": "n", "schema": {}, "description": None, "strict": False},
        "verbosity": "low",
    }
    assert response["tools"][0] == request["tools"][0]
    assert response["tools"][1]["strict"] is True
    assert response["temperature"] == 1.0
    assert request["text"]["format"] == {"type": "json_schema", "name": "n", "schema": {}}


@pytest.mark.parametrize("code", [None, "overloaded"])
def test_failure(code):
    """Its code is a text, as clients expect: the type where the error has none."""
    response = failed_response("resp_1", 7, {"model": "m"}, {"message": "M", "type": "t", "code": code})

    assert response["error"] == {"message": "M", "type": "t", "code": code or "t"}
    assert response["status"] == "failed"
    assert {**response, "status": "in_progress", "error": None} == response_object(
        "resp_1", 7, {"model": "m"}
    )


@pytest.mark.parametrize("value", ["x", 5, [None], {"format": "x"}, {"tools": 1}])
@pytest.mark.parametrize("name", ["reasoning", "text", "tools"])
def test_unvalidated_settings(name, value):
    """Bodies that are not validated in full make no failure of their own."""
    assert response_object("resp_1", 7, {"model": "m", name: value})["object"] == "response"
