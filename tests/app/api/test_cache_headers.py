"""Parsing of the headers with which a caller requests that answers are cached."""

from __future__ import annotations

import pytest
from flask import Flask, Response

from app.api.cache_headers import DEFAULT_SECONDS, read_caching, report_ignored
from app.errors import InvalidRequest
from app.relay.context import Caching

APP = Flask(__name__)


def read(**headers: str) -> Caching | None:
    named = {f"x-bf-cache-{name.replace('_', '-')}": value for name, value in headers.items()}
    with APP.test_request_context(headers=named):
        return read_caching()


def test_nothing_is_stored_without_a_key() -> None:
    assert read() is None
    assert read(ttl="soon", type="semantic") is None


def test_what_only_a_key_requests() -> None:
    assert read(key="k") == Caching("k", DEFAULT_SECONDS, may_store=True)


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        ("300", 300),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("24h", 86_400),
        (" 10s ", 10),
    ],
)
def test_durations(ttl: str, seconds: float) -> None:
    assert read(key="k", ttl=ttl) == Caching("k", seconds)


@pytest.mark.parametrize("ttl", ["0", "0s", "-5s", "24h1s", "soon", "5 m", "5d", "s", "1e3"])
def test_texts_that_are_not_durations(ttl: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(key="k", ttl=ttl)

    assert refused.value.param == "x-bf-cache-ttl"


@pytest.mark.parametrize(
    ("value", "may_store"), [("true", False), ("TRUE", False), ("false", True), ("", True)]
)
def test_reading_without_keeping(value: str, may_store: bool) -> None:
    caching = read(key="k", no_store=value)

    assert caching is not None
    assert caching.may_store is may_store


def test_only_exact_repeats() -> None:
    assert read(key="k", type="Direct") is not None
    with pytest.raises(InvalidRequest) as refused:
        read(key="k", type="semantic")

    assert refused.value.param == "x-bf-cache-type"


@pytest.mark.parametrize(
    ("headers", "named", "ignored"),
    [
        ({}, "", None),
        ({}, "seed", "seed"),
        ({"x-bf-cache-threshold": "0.8"}, "", "x-bf-cache-threshold"),
        ({"x-bf-cache-threshold": "0.8"}, "seed", "seed, x-bf-cache-threshold"),
    ],
)
def test_what_is_without_effect_is_named(headers: dict[str, str], named: str, ignored: str | None) -> None:
    response = Response(headers={"x-poolgate-ignored": named} if named else {})
    with APP.test_request_context(headers=headers):
        report_ignored(response)

    assert response.headers.get("x-poolgate-ignored") == ignored
