"""Which content types of upstreams are forwarded."""

from __future__ import annotations

import pytest

from app.relay.content_types import MAX_HEADER_CHARS, NEUTRAL, essence_of, is_json, passing_type


@pytest.mark.parametrize(
    "value", ["application/json; charset=utf-8", "audio/mpeg", "image/png", "text/event-stream", "text/vtt"]
)
def test_data_is_forwarded_unchanged(value: str) -> None:
    assert passing_type({"Content-Type": value}) == value


@pytest.mark.parametrize("value", ["text/html", "image/svg+xml", "text/javascript", "application/pdf", ""])
def test_what_a_browser_executes_becomes_neutral(value: str) -> None:
    assert passing_type({"Content-Type": value}) == NEUTRAL


@pytest.mark.parametrize("rest", ["x" * MAX_HEADER_CHARS, "\r\nSet-Cookie: a=b"])
def test_odd_parameters_are_dropped(rest: str) -> None:
    assert passing_type({"Content-Type": f"audio/wav; {rest}"}) == "audio/wav"


def test_essence() -> None:
    assert essence_of({"Content-Type": " Application/JSON ; charset=utf-8"}) == "application/json"
    assert essence_of({}) == ""


@pytest.mark.parametrize(
    ("essence", "expected"),
    [("application/json", True), ("application/problem+json", True), ("text/json", False), ("", False)],
)
def test_json(essence: str, *, expected: bool) -> None:
    assert is_json(essence) is expected
