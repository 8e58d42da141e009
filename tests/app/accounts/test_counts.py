"""Accounts by state and open leases, of all pools at once."""

from __future__ import annotations

from typing import Any

from app.accounts.counts import GatewayCounts, count_accounts
from app.stores import keys
from app.stores.records.accounts import AccountState
from app.stores.scripts import Scripts
from tests.support.store import StoreOfTest


def test_an_empty_store(redis_client: Any) -> None:
    assert count_accounts(Scripts(redis_client)) == GatewayCounts(dict.fromkeys(AccountState, 0), 0)


def test_all_pools_are_counted(redis_client: Any) -> None:
    for pool in ("one", "two"):
        store = StoreOfTest(redis_client, pool=pool)
        store.account("a")
        store.key("k")
        store.admit(output_tokens=1)
        redis_client.sadd(keys.POOLS, pool)
        redis_client.hset(keys.account_names(pool), "a", "a")
    redis_client.hset(keys.account("two", "a"), "state", "paused")

    found = count_accounts(Scripts(redis_client))

    states = {**dict.fromkeys(AccountState, 0), "active": 1, "paused": 1}
    attempts = {("one", "a", "ok"): 0, ("two", "a", "ok"): 0}
    assert found == GatewayCounts(states, 2, attempts, {("one", "a"): 0, ("two", "a"): 0})


def test_attempts_by_how_they_ended(redis_client: Any) -> None:
    """Those that succeeded are what is left of all."""
    redis_client.sadd(keys.POOLS, "p")
    redis_client.hset(keys.account_names("p"), "main", "a")
    counted = {"name": "main", "attempts": 10, "rescues": 2, "failed:server_error": 3, "failed:caller": 1}
    redis_client.hset(keys.account("p", "a"), mapping=counted)

    found = count_accounts(Scripts(redis_client))

    assert found.attempts == {
        ("p", "main", "ok"): 6,
        ("p", "main", "server_error"): 3,
        ("p", "main", "caller"): 1,
    }
    assert found.rescues == {("p", "main"): 2}
