"""The headers that report how a request was served."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.api.headers import header_value
from app.api.model_responses import response_headers
from app.relay.fallbacks import ServedBy
from app.stores.records.admission import LimitStanding
from app.stores.records.api_keys import ApiKey
from tests.support.relay import make_request


def headers_of(settings: str = "", **served: Any) -> dict[str, str]:
    context = make_request(key=ApiKey("k", "k", "p", settings=settings))
    chain: Any = SimpleNamespace(served_by=lambda: ServedBy(context, **served))
    return response_headers(chain)


def test_nothing_is_known_of_a_request_that_no_account_served() -> None:
    assert headers_of() == {}


def test_limits_and_ignored_fields() -> None:
    headers = headers_of(
        limits=[LimitStanding("l", "requests", "minute", 10, 9, 0)], ignored=["seed", "user"]
    )

    assert headers["x-poolgate-ignored"] == "seed, user"
    assert headers["x-ratelimit-remaining-requests"] == "9"


def test_the_account_only_where_the_pool_allows_it() -> None:
    assert headers_of('{"names_accounts":true}', account_name="main") == {"x-poolgate-account": "main"}
    assert headers_of('{"names_accounts":false}', account_name="main") == {}


@pytest.mark.parametrize(("text", "value"), [("a b", "a b"), ("ü", "%C3%BC"), ("a\n", "a%0A")])
def test_header_values(text: str, value: str) -> None:
    assert header_value(text) == value
