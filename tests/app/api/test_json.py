"""JSON responses."""

from __future__ import annotations

from app.api.json import json_response


def test_json_response() -> None:
    response = json_response({"a": "ü"}, 418)

    assert (response.status_code, response.content_type) == (418, "application/json")
    assert response.data == '{"a":"ü"}'.encode()
