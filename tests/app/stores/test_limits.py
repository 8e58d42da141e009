"""Limits change while the gateway runs: immediately, and without losing usage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.errors import InvalidRequest, NotFound
from app.limits.limit_syntax import parse_limit
from app.stores import keys
from app.stores.limits import FOR_POOL, LimitRepository
from app.stores.rollups import RollupRepository
from schemas.bounds import MAX_LIMITS
from tests.support.store import POOL, START_MS, StoreOfTest, limit

DAY_MS = 86_400_000


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    """One account, the keys `k` and `other` without limits, in Berlin."""
    store = StoreOfTest(redis_client)
    redis_client.hset(keys.pool(POOL), "zone", store.zone)
    store.account("a")
    store.key("k")
    store.key("other")
    return store


@pytest.fixture
def repository(store: StoreOfTest) -> LimitRepository:
    return LimitRepository(store.scripts)


def use(store: StoreOfTest, tokens: int, key: str = "k", model: str = "m", **more: Any) -> None:
    request = store.admit(key=key, model=model)
    store.settle(request["id"], key=key, model=model, input_tokens=tokens, output_tokens=1, **more)


class TestAdd:
    @pytest.mark.parametrize("key", ["k", FOR_POOL])
    def test_at_most_so_many(self, store: StoreOfTest, repository: LimitRepository, key: str) -> None:
        """The number of limits is bounded, because every admission checks all of them in one script."""
        for _ in range(MAX_LIMITS):
            added = repository.add(POOL, parse_limit("10 requests/day"), key)

        with pytest.raises(InvalidRequest, match="at most 64 limits"):
            repository.add(POOL, parse_limit("10 requests/day"), key)
        repository.edit(POOL, added.id, parse_limit("20 requests/day"), key)
        repository.remove(POOL, added.id, key)
        repository.add(POOL, parse_limit("10 requests/day"), key)

    def test_holds_at_once(self, store: StoreOfTest, repository: LimitRepository) -> None:
        added = repository.add(POOL, parse_limit("1 requests/day"), "k")

        assert repository.all(POOL, "k") == [added]
        assert "account" in store.admit()
        assert store.admit()["refused"] == "limit"
        assert "account" in store.admit(key="other")

    def test_for_the_pool(self, store: StoreOfTest, repository: LimitRepository) -> None:
        added = repository.add(POOL, parse_limit("1 requests/day"))

        assert added.scope == "pool"
        assert "account" in store.admit(key="other")
        assert store.admit()["limit"]["id"] == added.id

    @pytest.mark.parametrize(
        ("per", "settled"), [("hour", 2), ("day", 5), ("week", 18), ("month", 48), ("ever", 98)]
    )
    def test_starts_from_what_was_used(
        self, store: StoreOfTest, repository: LimitRepository, per: str, settled: int
    ) -> None:
        """A new limit on an old key starts with the usage of its window, in the pool's own days."""
        noon = START_MS + 10 * 3_600_000  # Sunday 29 March
        used = [(40 * DAY_MS, 49), (10 * DAY_MS, 29), (2 * DAY_MS, 12), (2 * 3_600_000, 2), (0, 1)]
        for ago, tokens in used:
            store.set_clock(noon - ago)
            use(store, tokens)
            use(store, 1000, key="other")
        store.set_clock(noon)

        added = repository.add(POOL, parse_limit(f"1000 total_tokens/{per}"), "k")

        assert store.counters(added.id)["s"] == settled

    def test_a_day_that_began_meanwhile(
        self, store: StoreOfTest, repository: LimitRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The list of days was read before the new day's first row was written."""
        use(store, 30)
        monkeypatch.setattr(RollupRepository, "starts", lambda *_: [])

        added = repository.add(store.pool, parse_limit("100 input_tokens/day"), "k")
        assert store.counters(added.id)["s"] == 30

    def test_counts_its_own_model(self, store: StoreOfTest, repository: LimitRepository) -> None:
        for model in ("gpt-5", "gpt-5-mini", "o3", "gpt|5"):
            use(store, 10, model=model, cost=3)

        added = [
            repository.add(POOL, parse_limit(text)).id
            for text in (
                "100 input_tokens/day for gpt-5*",
                "1 usd/day for o3",
                "9 requests/month",
                "100 output_tokens/ever for gpt|5",
            )
        ]

        assert [store.counters(limit_id)["s"] for limit_id in added] == [20, 3, 4, 1]

    def test_open_requests_are_held(self, store: StoreOfTest, repository: LimitRepository) -> None:
        """Requests that run while a limit is added count and settle under it."""
        running = store.admit(output_tokens=70)
        store.admit(key="other", output_tokens=500)

        added = {
            text: repository.add(POOL, parse_limit(text), "k").id
            for text in (
                "100 output_tokens/day",
                "2 parallel_requests",
                "5 requests/minute",
                "5 requests/day",
            )
        }
        counted = {text: store.counters(limit_id) for text, limit_id in added.items()}
        assert counted["100 output_tokens/day"]["h"] == 70
        assert counted["2 parallel_requests"]["h"] == 1
        assert counted["5 requests/minute"]["q"] == 60_000
        assert counted["5 requests/day"]["s"] == 1

        store.settle(running["id"], output_tokens=30)
        tokens, parallel = (
            store.counters(added[text]) for text in ("100 output_tokens/day", "2 parallel_requests")
        )
        assert (tokens["s"], tokens["h"], parallel["h"]) == (30, 0, 0)

    def test_no_change_is_lost_when_many_change(
        self, store: StoreOfTest, repository: LimitRepository
    ) -> None:
        """Each change applies to the current list, including changes of others."""
        with ThreadPoolExecutor(4) as hands:
            list(
                hands.map(
                    lambda n: repository.add(POOL, parse_limit(f"{n + 1} requests/day"), "k"), range(12)
                )
            )

        assert sorted(limit.max for limit in repository.all(POOL, "k")) == list(range(1, 13))


class TestEdit:
    def test_the_counter_goes_on(self, store: StoreOfTest, repository: LimitRepository) -> None:
        added = repository.add(POOL, parse_limit("10 total_tokens/day"), "k")
        use(store, 9)

        edited = repository.edit(POOL, added.id, parse_limit("20 total_tokens/day balanced"), "k")

        assert (edited.id, edited.max, edited.mode) == (added.id, 20, "balanced")
        assert repository.all(POOL, "k") == [edited]
        assert store.counters(added.id)["s"] == 10

    @pytest.mark.parametrize(
        "changed", ["20 total_tokens/week", "20 requests/day", "20 total_tokens/day for o3"]
    )
    def test_another_kind_is_another_limit(self, repository: LimitRepository, changed: str) -> None:
        added = repository.add(POOL, parse_limit("10 total_tokens/day"), "k")

        with pytest.raises(InvalidRequest, match="remove it and add one"):
            repository.edit(POOL, added.id, parse_limit(changed), "k")

    def test_unknown(self, repository: LimitRepository) -> None:
        with pytest.raises(NotFound, match="no limit 'lim_1'"):
            repository.edit(POOL, "lim_1", parse_limit("1 requests/day"), "k")


class TestRemove:
    def test_forgets(self, store: StoreOfTest, repository: LimitRepository) -> None:
        """The counter is removed, and a request that had reserved an amount still settles."""
        added = repository.add(POOL, parse_limit("10 output_tokens/day"), "k")
        running = store.admit(output_tokens=10)

        repository.remove(POOL, added.id, "k")

        assert repository.all(POOL, "k") == []
        assert store.counters(added.id) == {}
        assert "account" in store.admit(output_tokens=10)
        assert store.settle(running["id"], output_tokens=5) != ""
        assert store.counters(added.id) == {}

    def test_leaves_the_others(self, store: StoreOfTest, repository: LimitRepository) -> None:
        store.key("k", limit("a", "requests", "day", 5), limit("b", "requests", "hour", 5))

        repository.remove(POOL, "a", "k")

        assert [limit.id for limit in repository.all(POOL, "k")] == ["b"]
        with pytest.raises(NotFound):
            repository.remove(POOL, "a", "k")
