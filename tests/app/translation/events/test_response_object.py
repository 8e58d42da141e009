"""A response as it begins."""

from __future__ import annotations

from app.translation.events.response_object import SETTINGS, response_object


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
    assert response["tools"] == request["tools"]
    assert "input" not in response
