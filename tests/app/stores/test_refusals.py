"""Refusals: the newest in full, all of them counted by API key, code and hour."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.stores import keys
from app.stores.records.refusals import RefusalBatch, RefusalGroup, RefusedRequest
from app.stores.refusals import HOUR_SECONDS, RefusalRepository
from app.stores.scripts import Scripts
from tests.support.refusals import record_refusals
from tests.support.store import StoreOfTest


@pytest.fixture
def refusals(store: StoreOfTest) -> RefusalRepository:
    return RefusalRepository(store.scripts)


def group(
    *request_ids: str, key: str = "k", digest: str = "", code: str = "rate_limit_exceeded", count: int = 0
) -> RefusalGroup:
    rows = [
        RefusedRequest(each, 5, "m", "/v1/responses", 429, code, "no").row().decode() for each in request_ids
    ]
    return RefusalGroup(key, digest, code, count or len(rows), 5, False, rows, {5: count or len(rows)})


def test_newest_first(refusals: RefusalRepository, store: StoreOfTest) -> None:
    record_refusals(refusals, store.pool, group("r1", "r2"))
    record_refusals(refusals, store.pool, group("r3"))

    entries = list(refusals.entries(store.pool))

    assert [each.entry.request_id for each in entries] == ["r3", "r2", "r1"]
    assert entries[0].unavailable == []


def test_find(refusals: RefusalRepository, store: StoreOfTest) -> None:
    """By the whole id: the id of another request may contain it."""
    record_refusals(refusals, store.pool, group("r1", "r12"))

    found = refusals.find(store.pool, "r1")

    assert found is not None
    assert found.entry.request_id == "r1"
    assert refusals.find(store.pool, "r") is None
    assert refusals.find("another", "r1") is None


def test_counts(store: StoreOfTest, redis_client: Any) -> None:
    """Of the hours of the span, the current one included."""
    refusals = RefusalRepository(Scripts(redis_client))
    record_refusals(refusals, store.pool, group("r1", count=7), group("r2", code="invalid_api_key"))
    hour = refusals.counts(store.pool, "1h").since
    redis_client.hset(keys.refused(store.pool, hour - 2 * HOUR_SECONDS), "k|rate_limit_exceeded", 100)
    redis_client.hset(keys.refused(store.pool, hour - 25 * HOUR_SECONDS), "k|rate_limit_exceeded", 1000)

    last, day, week = (refusals.counts(store.pool, span) for span in ("1h", "24h", "7d"))

    assert last.total < 100
    assert (day.total, week.total) == (108, 1108)
    assert day.by_code("k") == [("rate_limit_exceeded", 107), ("invalid_api_key", 1)]
    assert day.by_code("another") == []
    assert day.since == last.since - 23 * HOUR_SECONDS


def test_recorded_late(store: StoreOfTest, redis_client: Any) -> None:
    """They are counted in the hour in which they were refused, and not as the present load."""
    refusals = RefusalRepository(Scripts(redis_client))
    record_refusals(refusals, store.pool, group("r1"))
    record_refusals(refusals, store.pool, group("r2", count=3), age_ms=2 * HOUR_SECONDS * 1000)

    assert [refusals.counts(store.pool, span).total for span in ("1h", "24h")] == [1, 4]
    hour = refusals.counts(store.pool, "1h").since - 2 * HOUR_SECONDS
    assert redis_client.ttl(keys.refused(store.pool, hour)) > 0
    assert refusals.latest_counts(store.pool, 0) == {"rate_limit_exceeded": 1}


def test_of_the_last_minute(refusals: RefusalRepository, store: StoreOfTest, redis_client: Any) -> None:
    """All of them by code, however few are stored in full; nothing older is stored."""
    redis_client.xadd(keys.latest_refusals(store.pool), {"old": 1}, id="1-1")
    record_refusals(refusals, store.pool, group("r1", count=400), group("r2", count=7))
    record_refusals(refusals, store.pool, group("r3", code="model_not_allowed"))

    assert refusals.latest_counts(store.pool, 0) == {"rate_limit_exceeded": 407, "model_not_allowed": 1}
    assert 0 < redis_client.pttl(keys.latest_refusals(store.pool)) <= 60_000


def test_the_second_of_each(refusals: RefusalRepository, store: StoreOfTest) -> None:
    """What waited while the store was away counts when it was refused; older refusals do not count."""
    now_ms = store.now
    ages = {0: 1, 20_000: 10, 40_000: 100, 61_000: 1000}
    waited = replace(
        group("r1", count=1111), first_at_ms=now_ms, seconds={now_ms - age: ages[age] for age in ages}
    )

    refusals.record(store.pool, RefusalBatch("w", 1, [waited, replace(waited, code="late")]), now_ms)

    counted = [refusals.latest_counts(store.pool, now_ms - age) for age in (10_000, 30_000, 60_000)]
    assert counted == [{"rate_limit_exceeded": n, "late": n} for n in (1, 11, 111)]


def test_of_an_older_version(refusals: RefusalRepository, store: StoreOfTest, redis_client: Any) -> None:
    """While a gateway is updated, both count."""
    redis_client.xadd(keys.latest_refusals(store.pool), {"c": 2}, id="5000-1")

    assert refusals.latest_counts(store.pool, 5000) == {"c": 2}
    assert refusals.latest_counts(store.pool, 5001) == {}


def test_a_key_by_its_digest(refusals: RefusalRepository, store: StoreOfTest, redis_client: Any) -> None:
    """A key that was presented but did not authenticate is found; nothing is written for strangers."""
    digest = hashlib.sha256(b"sk-known").hexdigest()
    redis_client.set(keys.secret(store.pool, digest), "k")

    record_refusals(
        refusals, store.pool, group("r1", key="", digest=digest), group("r2", key="", digest="0" * 64)
    )

    assert [each.entry.row["key"] for each in refusals.entries(store.pool)] == ["k"]


def test_which_accounts_were_unavailable(refusals: RefusalRepository, store: StoreOfTest) -> None:
    store.account("a")
    store.set_state("a", "paused")
    one = group("r1")

    record_refusals(refusals, store.pool, replace(one, store_unavailable=True))

    (entry,) = refusals.entries(store.pool)
    assert entry.unavailable[0][:2] == ["a", "paused"]


def test_trim(refusals: RefusalRepository, store: StoreOfTest, redis_client: Any) -> None:
    row = {"row": orjson.dumps({"id": "r"}), "out": "[]", "key": "k"}
    for second in (99, 100, 101):
        redis_client.xadd(keys.refusals(store.pool), row, id=f"{second}000-1")

    refusals.trim(store.pool, since=100)

    assert [each.entry.id for each in refusals.entries(store.pool)] == ["101000-1", "100000-1"]
