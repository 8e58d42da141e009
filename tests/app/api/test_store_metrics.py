"""Metrics read from the store when they are scraped; without the store, those of this machine remain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.accounts.counts import GatewayCounts
from app.api import store_metrics
from app.api.store_metrics import StoreMetrics
from app.errors import StoreUnavailable
from app.stores import keys
from app.stores.pools import PoolHashes
from app.stores.scripts import Scripts
from tests.support.store import StoreOfTest


def collected(
    pools: Any, scripts: Any = None, spool_files: int = 0
) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the values of each metric by the values of its labels."""
    ledger = SimpleNamespace(settlements=SimpleNamespace(count_spool_files=lambda: spool_files))
    services: Any = SimpleNamespace(pools=pools, scripts=scripts, ledger=ledger)
    return {
        metric.name: {tuple(each.labels.values()): each.value for each in metric.samples}
        for metric in StoreMetrics(services).collect()
    }


def test_accounts_and_leases(redis_client: Any) -> None:
    store = StoreOfTest(redis_client)
    scripts = Scripts(redis_client)
    PoolHashes(scripts).ensure(store.pool)
    for name in ("a", "b"):
        store.account(name)
    store.set_state("b", "paused")
    store.key("k")
    store.admit()

    metrics = collected(PoolHashes(scripts), scripts)

    assert metrics["poolgate_store_up"] == {(): 1}
    assert metrics["poolgate_leases_open"] == {(): 1}
    states = metrics["poolgate_accounts"]
    assert (states["active",], states["paused",]) == (1, 1)
    assert len(states) > 2  # a state without accounts is 0, not absent


def test_by_account(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = GatewayCounts({"active": 1}, 0, {("p", "a", "ok"): 5, ("p", "a", "reset"): 2}, {("p", "a"): 1})
    monkeypatch.setattr(store_metrics, "count_accounts", lambda scripts: counts)

    metrics = collected(SimpleNamespace(ensure=lambda pool: None))

    assert metrics["poolgate_account_attempts"] == {("p", "a", "ok"): 5, ("p", "a", "reset"): 2}
    assert metrics["poolgate_account_rescues"] == {("p", "a"): 1}


def test_webhooks(redis_client: Any) -> None:
    scripts = Scripts(redis_client)
    PoolHashes(scripts).ensure("p")
    assert collected(PoolHashes(scripts), scripts)["poolgate_webhook_messages"] == {}
    redis_client.hset(keys.webhooks("p"), "ops", "sealed")
    redis_client.hset(keys.alert_deliveries("p", "ops"), mapping={"delivered": 3, "dropped": 1})
    redis_client.rpush(keys.alert_messages("p", "ops"), "{}", "{}")

    metrics = collected(PoolHashes(scripts), scripts)

    assert metrics["poolgate_webhook_messages"] == {
        ("p", "ops", "delivered"): 3,
        ("p", "ops", "failed"): 0,
        ("p", "ops", "dropped"): 1,
    }
    assert metrics["poolgate_webhook_pending"] == {("p", "ops"): 2}


def test_without_the_store() -> None:
    """An exposition without counts, never zeros that would look like an empty pool."""

    def ensure(pool: str) -> None:
        raise StoreUnavailable("Redis is away")

    metrics = collected(SimpleNamespace(ensure=ensure), spool_files=3)

    assert metrics["poolgate_store_up"] == {(): 0}
    assert metrics["poolgate_spool_files"] == {(): 3}
    assert set(metrics) == {"poolgate_build_info", "poolgate_store_up", "poolgate_spool_files"}
