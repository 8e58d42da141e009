"""Requests as the settings of their account change them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.accounts.request_settings import RequestSettings
from app.relay.context import ModelRequest
from app.relay.own_fields import ignored_fields, raw_body_with_settings, with_settings
from app.translation.requests.upstream_request import UpstreamRequest

SETTINGS = RequestSettings(
    model_names={"m": "own-m"}, drop_fields=("user", "reasoning"), set_fields={"temperature": 0.2}
)


def request(**body: Any) -> ModelRequest:
    body = {"model": "m", **body}
    return ModelRequest("chat", "/v1/chat/completions", "m", body, raw_body=[orjson.dumps(body)])


class TestIgnored:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({}, []),
            ({"user": "u", "temperature": 1}, ["user", "temperature"]),
            ({"temperature": 0.2}, []),
            ({"user": None}, []),
            ({"reasoning_effort": "low"}, ["reasoning_effort"]),
        ],
    )
    def test_what_the_caller_set(self, body: dict[str, Any], expected: list[str]) -> None:
        assert ignored_fields(SETTINGS, request(**body)) == expected

    def test_named_once(self) -> None:
        made = UpstreamRequest("chat", {"model": "m", "user": "u"}, ["user", "seed"])

        changed = with_settings(made, SETTINGS, request(user="u"))

        assert changed.ignored == ["user", "seed"]
        assert changed.body == {"model": "own-m", "temperature": 0.2}

    def test_nothing_changes(self) -> None:
        made = UpstreamRequest("chat", {"model": "m"}, [])

        assert with_settings(made, RequestSettings(headers={"X-A": "1"}), request()) is made


class TestPassedThrough:
    def test_json(self) -> None:
        pieces, ignored = raw_body_with_settings(request(input="x", user="u"), SETTINGS)

        assert orjson.loads(b"".join(pieces)) == {"model": "own-m", "input": "x", "temperature": 0.2}
        assert ignored == ["user"]

    def test_unchanged(self) -> None:
        client = request(input="x")

        pieces, _ = raw_body_with_settings(client, RequestSettings(headers={"X-A": "1"}))

        assert pieces is client.raw_body

    @pytest.mark.parametrize(("place", "expected"), [((1, 2), b"<own-m>rest"), (None, b"<m>rest")])
    def test_a_form(self, place: tuple[int, int] | None, expected: bytes) -> None:
        """Its fields are sent unchanged, except the model."""
        client = ModelRequest(
            "audio/transcriptions",
            "/v1/audio/transcriptions",
            "m",
            {"model": "m", "user": "u"},
            raw_body=[b"<m>rest"],
            content_type="multipart/form-data; boundary=x",
            model_place=place,
        )

        pieces, ignored = raw_body_with_settings(client, SETTINGS)

        assert (b"".join(pieces), ignored) == (expected, [])
