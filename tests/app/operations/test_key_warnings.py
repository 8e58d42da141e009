"""What is probably not meant about a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.accounts.account import Account
from app.accounts.model_routes import RouteTable
from app.limits.limit_syntax import parse_limit
from app.operations.key_warnings import key_warnings, rotation_warnings, same_limits
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import ModelRoute, RouteTarget

NOW = 1_800_000_000.0
KEY = ApiKey("key_1", "ann", "default")
FIXED = Account("a", "a", "openai", "http://x", models=("m1",))
LISTED = Account("b", "b", "openai", "http://x", listed=("m2",))
UNKNOWN = Account("c", "c", "openai", "http://x")


def test_nothing_to_warn_of() -> None:
    key = replace(KEY, models=("m1", "m2"), expires_at=NOW + 1, limits=(parse_limit("5 usd/month"),))

    assert key_warnings(key, [FIXED, LISTED], NOW) == []


def test_an_expiry_in_the_past() -> None:
    (warning,) = key_warnings(replace(KEY, expires_at=NOW), [], NOW)
    assert warning.startswith("it has expired already, at 2027-01-15 08:00Z")


@pytest.mark.parametrize(
    ("accounts", "bound", "warnings"),
    [
        ([FIXED, LISTED], (), ["no account lists m3"]),
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

    assert key_warnings(key, accounts, NOW) == warnings


def test_names_of_routes() -> None:
    """A name that a route serves is no model, also the pattern itself."""
    target = ((RouteTarget("m1"),),)
    routes = RouteTable([ModelRoute("fast", target), ModelRoute("gpt-4*", target)])
    key = replace(KEY, models=("fast", "gpt-4*", "gpt-4o", "m3"))

    assert key_warnings(key, [FIXED], NOW, routes) == ["no account lists m3"]


def test_patterns() -> None:
    """A pattern that matches no listed model and no model route is probably a typing error."""
    routes = RouteTable([ModelRoute("fast", ((RouteTarget("m1"),),))])
    key = replace(KEY, models=("m*", "f*t", "gpt-*"))

    assert key_warnings(key, [LISTED], NOW, routes) == ["no account lists gpt-*"]


def test_limits_given_twice() -> None:
    """A different period or model is another limit."""
    first, second = parse_limit("5 usd/month"), parse_limit("10 usd/month")
    others = (parse_limit("5 usd/day"), parse_limit("5 usd/month for gpt-*"))

    assert key_warnings(replace(KEY, limits=(first, *others)), [], NOW) == []
    (warning,) = key_warnings(replace(KEY, limits=(first, *others, second)), [], NOW)
    assert warning.endswith("so the lowest one applies: $5.00 per month; $10.00 per month")
    assert same_limits([first, *others, second], others[0]) == []


def test_a_rotation_before_an_earlier_secret_has_ended() -> None:
    (warning,) = rotation_warnings(replace(KEY, former_until=NOW + 60), NOW)

    assert "left valid until 2027-01-15 08:01Z is refused from now on" in warning
    assert rotation_warnings(replace(KEY, former_until=NOW - 1), NOW) == rotation_warnings(KEY, NOW) == []
