"""Limits that are used up, and limits under which nothing can be admitted."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.account import Account
from app.limits.limit_syntax import parse_limit
from app.operations.check_limits import check_strict_limits, check_usage
from app.operations.diagnostic import Level, group_diagnostics
from app.operations.stored_accounts import read_accounts
from app.stores import keys
from app.stores.records.limits import Limit
from app.stores.records.teams import TeamState

POOL = "default"


@pytest.fixture
def key(services: Any) -> Any:
    services.pools.ensure(POOL)

    def make(limit: str, models: tuple[str, ...] = ("local-1",), **more: Any) -> Limit:
        account = Account("", "main", "compatible", "http://x", models=models)
        services.accounts.add(POOL, account)
        parsed = parse_limit(limit)
        services.api_keys.create(POOL, "ann", limits=(parsed,), **more)
        return parsed

    return make


def refused(services: Any) -> list[tuple[str, str, str]]:
    found = check_strict_limits(
        services.doctor._stores,
        POOL,
        services.doctor.read_limits(POOL),
        read_accounts(services.doctor._stores, POOL),
    )
    return [(one.level, one.where, one.what) for one in group_diagnostics(found)]


@pytest.mark.parametrize(
    ("limit", "models"),
    [
        ("1000000 total_tokens/day", ("local-1",)),
        ("5 usd/month", ("gpt-5-mini",)),
        ("5 usd/month balanced", ("local-1",)),
        ("10 requests/minute", ("local-1",)),
        ("5 usd/month for gpt-*", ("local-1",)),  # it counts none of the models
    ],
)
def test_limits_that_admit_something(services: Any, key: Any, limit: str, models: tuple[str, ...]) -> None:
    key(limit, models)

    assert refused(services) == []


def test_a_cost_limit_without_a_price(services: Any, key: Any) -> None:
    key("5 usd/month")

    what = "its strict limit $5.00 per month refuses every request: none of the models has a price"
    assert refused(services) == [(Level.WRONG, f"{POOL}/ann", what)]


def test_a_cost_limit_where_some_models_have_no_price(services: Any, key: Any) -> None:
    key("5 usd/month", ("local-1", "local-2", "gpt-5-mini"))

    refuses = "the strict limit $5.00 per month refuses every request"
    what = f"{refuses} for local-1, local-2 (429), which have no price"
    assert refused(services) == [(Level.NOTE, f"{POOL}/ann", what)]


def test_a_limit_below_what_any_request_reserves(services: Any, key: Any) -> None:
    key("20 total_tokens/day")

    ((level, _, what),) = refused(services)
    assert level == Level.WRONG
    assert what.startswith("its strict limit 20 tokens per day refuses every request: a short one reserves ")


def test_a_limit_for_requests_that_name_their_length(services: Any, key: Any) -> None:
    """Unless the key sets one for those that do not."""
    key("1000 output_tokens/day")

    ((level, _, what),) = refused(services)
    assert level == Level.NOTE
    assert what.endswith("refuses every request that sets no small output length")
    services.api_keys.change(POOL, "ann", output_tokens=100)
    assert refused(services) == []


def test_a_limit_of_the_pool(services: Any, key: Any) -> None:
    key("10 requests/minute")
    services.limits.add(POOL, parse_limit("5 usd/month"))

    assert [(level, where) for level, where, _ in refused(services)] == [(Level.WRONG, POOL)]


def test_limits_of_a_team(services: Any, key: Any) -> None:
    """While it is active."""
    key("10 requests/minute")
    services.teams.create(POOL, "red", (parse_limit("5 usd/month"), parse_limit("5 requests/ever")))
    limit = services.teams.find(POOL, "red").limits[1]
    services.scripts.client.hset(keys.limit(POOL, limit.id), mapping={"b": 0, "s": 5})

    def near() -> list[tuple[str, str]]:
        found = check_usage(POOL, services.doctor.read_limits(POOL))
        return [(one.where, one.remedy) for one in group_diagnostics(found)]

    assert [(level, where) for level, where, _ in refused(services)] == [(Level.WRONG, f"{POOL}/red")]
    assert near() == [(f"{POOL}/red", "poolgate team limit list red")]
    services.teams.set_state(POOL, "red", TeamState.DISABLED)
    assert (refused(services), near()) == ([], [])


def test_one_that_is_used_up(services: Any, key: Any) -> None:
    limit = key("5 requests/ever")
    services.scripts.client.hset(keys.limit(POOL, limit.id), mapping={"b": 0, "s": 5})

    (one,) = group_diagnostics(check_usage(POOL, services.doctor.read_limits(POOL)))

    assert (one.level, one.what) == (Level.NOTE, "has reached its limit 5 requests in total")


@pytest.mark.parametrize(
    ("limit", "remedy"),
    [
        (
            "1000 output_tokens/day",
            "poolgate key set ann --pool team-b --output-tokens N, or raise the limit",
        ),
        ("5 usd/month", "poolgate price set MODEL --pool team-b, or make the limit balanced"),
    ],
)
def test_remedies_name_the_pool(services: Any, limit: str, remedy: str) -> None:
    """A key of the pool default may have the same name."""
    services.pools.ensure("team-b")
    services.accounts.add("team-b", Account("", "main", "compatible", "http://x", models=("local-1",)))
    services.api_keys.create("team-b", "ann", limits=(parse_limit(limit),))
    stores = services.doctor._stores
    limits, accounts = services.doctor.read_limits("team-b"), read_accounts(stores, "team-b")

    found = group_diagnostics(check_strict_limits(stores, "team-b", limits, accounts))

    assert [each.remedy for each in found] == [remedy]
