"""What is probably not meant about a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.accounts.account import Account
from app.accounts.model_routes import RouteTable
from app.limits.limit_syntax import parse_limit
from app.limits.prices import PriceTable
from app.operations.key_warnings import key_warnings, rotation_warnings, same_limits
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import ModelRoute, RouteTarget

NOW = 1_800_000_000.0
PRICES = PriceTable({name: {"standard": {"input": 1, "output": 1}} for name in ("m1", "m2")}, "1")
KEY = ApiKey("key_1", "ann", "default")
FIXED = Account("a", "a", "openai", "http://x", models=("m1",))
LISTED = Account("b", "b", "openai", "http://x", listed=("m2",))
UNKNOWN = Account("c", "c", "openai", "http://x")


def test_nothing_to_warn_of() -> None:
    key = replace(KEY, models=("m1", "m2"), expires_at=NOW + 1, limits=(parse_limit("5 usd/month"),))

    assert key_warnings(key, [FIXED, LISTED], NOW, PRICES) == []


def test_an_expiry_in_the_past() -> None:
    (warning,) = key_warnings(replace(KEY, expires_at=NOW), [], NOW, PRICES)
    assert warning.startswith("it has expired already, at 2027-01-15 08:00Z")


@pytest.mark.parametrize(
    ("accounts", "bound", "warnings"),
    [
        ([FIXED, LISTED], (), ["no account lists m3 (did you mean 'm2' or 'm1'?)"]),
        ([FIXED, LISTED], ("a",), ["no account lists m2, m3"]),
        ([FIXED, LISTED, UNKNOWN], (), ["no account lists m3 yet; c has not listed its models"]),
        ([FIXED, LISTED, UNKNOWN], ("a",), ["no account lists m2, m3"]),
        ([], (), []),
    ],
)
def test_models_that_no_account_lists(
    accounts: list[Account], bound: tuple[str, ...], warnings: list[str]
) -> None:
    key = replace(KEY, models=("m2", "m3"), accounts=bound)

    assert key_warnings(key, accounts, NOW, PRICES) == warnings


def test_names_of_routes() -> None:
    """A name that a route serves is no model, also the pattern itself."""
    target = ((RouteTarget("m1"),),)
    routes = RouteTable([ModelRoute("fast", target), ModelRoute("gpt-4*", target)])
    key = replace(KEY, models=("fast", "gpt-4*", "gpt-4o", "m3"))

    assert key_warnings(key, [FIXED], NOW, PRICES, routes) == ["no account lists m3 (did you mean 'm1'?)"]


def test_patterns() -> None:
    """A pattern that matches no listed model and no model route is probably a typing error."""
    routes = RouteTable([ModelRoute("fast", ((RouteTarget("m1"),),))])
    key = replace(KEY, models=("m*", "f*t", "gpt-*"))

    assert key_warnings(key, [LISTED], NOW, PRICES, routes) == ["no account lists gpt-*"]


def test_limits_given_twice() -> None:
    """A different period or model is another limit."""
    first, second = parse_limit("5 usd/month"), parse_limit("10 usd/month")
    others = (parse_limit("5 usd/day"), parse_limit("5 usd/month for gpt-*"))

    assert key_warnings(replace(KEY, limits=(first, *others)), [], NOW, PRICES) == []
    (warning,) = key_warnings(replace(KEY, limits=(first, *others, second)), [], NOW, PRICES)
    assert warning.endswith("so the lowest one applies: $5.00 per month; $10.00 per month")
    assert same_limits([first, *others, second], others[0]) == []


def test_a_rotation_before_an_earlier_secret_has_ended() -> None:
    (warning,) = rotation_warnings(replace(KEY, former_until=NOW + 60), NOW)

    assert "left valid until 2027-01-15 08:01Z is refused from now on" in warning
    assert rotation_warnings(replace(KEY, former_until=NOW - 1), NOW) == rotation_warnings(KEY, NOW) == []


@pytest.mark.parametrize(
    ("key", "refused"),
    [
        (KEY, "m3, m4"),
        (replace(KEY, models=("m4",)), "m4"),
        (replace(KEY, models=("fast",)), "m3"),  # by the name of a route
        (replace(KEY, models=("m1",)), ""),
        (replace(KEY, accounts=("a",)), ""),
    ],
)
def test_models_without_a_price_under_a_strict_limit_of_cost(key: ApiKey, refused: str) -> None:
    accounts = [FIXED, replace(LISTED, listed=("m2", "m3", "m4"))]
    routes = RouteTable([ModelRoute("fast", ((RouteTarget("m3"),),))])
    limited = replace(key, limits=(parse_limit("50 usd/month"),))

    verb = "have" if "," in refused else "has"
    sentence = (
        f"the strict limit $50.00 per month refuses every request for {refused} (429), which {verb} no price"
    )
    expected = [f"{sentence}: set a price, or make it balanced"] if refused else []
    assert key_warnings(limited, accounts, NOW, PRICES, routes) == expected


@pytest.mark.parametrize("text", ["50 usd/month balanced", "50 usd/month for m2", "9 requests/day"])
def test_limits_that_need_no_price(text: str) -> None:
    accounts = [replace(LISTED, listed=("m2", "m3"))]

    assert key_warnings(replace(KEY, limits=(parse_limit(text),)), accounts, NOW, PRICES) == []
