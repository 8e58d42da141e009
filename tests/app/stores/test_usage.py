from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app.stores import keys
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import limits_from_json
from app.stores.records.usage import UpstreamWindow
from app.stores.usage import UsageRepository
from tests.support.store import POOL, START_MS, TTL_MS, StoreOfTest, limit

DAY_MS = 86_400_000


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    redis_client.hset(keys.pool(POOL), "zone", store.zone)
    store.account("a")
    return store


@pytest.fixture
def repository(store: StoreOfTest) -> UsageRepository:
    return UsageRepository(store.scripts)


def api_key(*limits: dict[str, Any], now_ms: int = START_MS) -> ApiKey:
    return ApiKey("k", "ann", POOL, limits=limits_from_json(limits), zone="Europe/Berlin", now=now_ms / 1000)


class TestStanding:
    def test_nothing_yet(self, store: StoreOfTest, repository: UsageRepository) -> None:
        standing = repository.of_key(api_key())

        assert (standing.used, standing.limits, standing.windows) == ({}, [], [None, None])

    def test_used_and_held(self, store: StoreOfTest, repository: UsageRepository) -> None:
        """What ended is used, what runs is held, both in the window of now."""
        limits = (limit("t", "output_tokens", "day", 100), limit("p", "parallel_requests", "none", 5))
        store.key("k", *limits)
        ended, _ = store.admit(output_tokens=30), store.admit(output_tokens=20)
        store.settle(ended["id"], input_tokens=5, output_tokens=7, cached_tokens=2, cost=11)

        standing = repository.of_key(api_key(*limits))

        assert standing.used == {
            "requests": 1,
            "input_tokens": 5,
            "output_tokens": 7,
            "cached_tokens": 2,
            "cost": 11,
        }
        tokens, parallel = standing.limits
        assert (tokens.limit.id, tokens.settled, tokens.held) == ("t", 7, 20)
        assert tokens.resets_at == store.calendar()["day"][1] // 1000
        assert (parallel.settled, parallel.held, parallel.resets_at) == (0, 1, None)

    def test_our_calendar_is_of_another_day(self, store: StoreOfTest, repository: UsageRepository) -> None:
        """The store's clock decides."""
        limits = (limit("t", "output_tokens", "day", 100),)

        standing = repository.of_key(api_key(*limits, now_ms=START_MS - 9 * DAY_MS))

        assert standing.limits[0].resets_at == store.calendar()["day"][1] // 1000

    def test_upstream_windows(self, store: StoreOfTest, repository: UsageRepository) -> None:
        """The mean of the accounts that reported a window; a window that has ended counts as unused."""
        reports = {"b": (80, START_MS + 9000), "c": (41, START_MS + 5000), "d": (100, START_MS - 1)}
        for account_id, (percent, reset_ms) in reports.items():
            store.account(account_id)
            store.client.hset(
                keys.account(POOL, account_id), mapping={"used_1": percent, "reset_1": reset_ms}
            )

        windows = repository.of_key(api_key()).windows

        assert windows == [UpstreamWindow(40.3, (START_MS + 5000) // 1000), None]


class TestGauges:
    def test_of_many_keys_at_once(self, store: StoreOfTest, repository: UsageRepository) -> None:
        """Limits report their current use, of key and pool alike; the calendar follows the Redis clock."""
        key_limit, other = limit("t", "output_tokens", "day", 100), limit("u", "requests", "ever", 5)
        store.key("k", key_limit)
        store.settle(store.admit(output_tokens=30)["id"], output_tokens=7)

        gauges = repository.limit_statuses(POOL, limits_from_json([key_limit, other]))

        assert [(gauge.limit.id, gauge.settled, gauge.held) for gauge in gauges] == [
            ("t", 7, 0),
            ("u", 0, 0),
        ]
        assert gauges[0].resets_at == store.calendar()["day"][1] // 1000


class TestSince:
    @pytest.fixture(autouse=True)
    def used(self, store: StoreOfTest) -> None:
        for day, (key, model) in enumerate([("k", "gpt-5"), ("k", "o3"), ("other", "o3")]):
            store.key(key)
            store.set_clock(START_MS + day * DAY_MS)
            request = store.admit(key=key, model=model)
            store.settle(request["id"], key=key, model=model, input_tokens=10 + day, cost=1)

    def test_by_key_model_and_account(self, store: StoreOfTest, repository: UsageRepository) -> None:
        since = date(2026, 3, 29)

        assert repository.since(POOL, since, "key") == {
            "k": {"requests": 2, "attempts": 2, "input_tokens": 21, "cost": 2},
            "other": {"requests": 1, "attempts": 1, "input_tokens": 12, "cost": 1},
        }
        assert repository.since(POOL, since, "model")["o3"]["input_tokens"] == 23
        assert repository.since(POOL, since, "account")["a"]["requests"] == 3

    def test_since_a_day(self, repository: UsageRepository) -> None:
        assert set(repository.since(POOL, date(2026, 3, 31), "key")) == {"other"}
        assert repository.since(POOL, date(2026, 4, 1), "key") == {}

    def test_of_one_key(self, repository: UsageRepository) -> None:
        assert set(repository.since(POOL, date(2026, 3, 1), "model", ["k"])) == {"gpt-5", "o3"}

    def test_since_this_month(self, repository: UsageRepository) -> None:
        """Without a day it is the month of now, and nothing was used in it."""
        assert repository.since(POOL, None, "key") == {}


class TestLastTimes:
    def test_the_end_of_the_newest_request(self, store: StoreOfTest, repository: UsageRepository) -> None:
        """Of each key by itself; open requests do not count."""
        for key in ("k", "other", "open"):
            store.key(key)
            store.admit(f"q-{key}", key=key)
        store.advance(2000)
        store.settle("q-k", key="k", at_ms=START_MS, total_ms=1500)
        store.settle("q-other", key="other", status=502, at_ms=START_MS, total_ms=200)

        times = repository.last_times(POOL, ["k", "other", "open", "gone"])

        assert times == {"k": (START_MS + 1500) / 1000, "other": (START_MS + 200) / 1000}
        assert repository.last_times(POOL, []) == {}

    def test_a_settlement_long_after_the_request(
        self, store: StoreOfTest, repository: UsageRepository
    ) -> None:
        """The time of the request counts, not the end of the outage; an earlier one never replaces it."""
        store.key("k")
        for request, delay in (("old", 0), ("new", 5000)):
            store.advance(delay)
            store.admit(request)
        store.advance(1000)
        store.settle("new", at_ms=START_MS + 5000, total_ms=1000)
        store.advance(DAY_MS)

        store.settle("old", at_ms=START_MS, total_ms=3000)

        assert repository.last_times(POOL, ["k"]) == {"k": (START_MS + 6000) / 1000}

    def test_a_clock_that_is_ahead(self, store: StoreOfTest, repository: UsageRepository) -> None:
        """A use is never later than the present."""
        store.key("k")
        store.admit("q")

        entry = store.settle("q", at_ms=START_MS, total_ms=10**14)

        assert repository.last_times(POOL, ["k"]) == {"k": int(entry[:13]) / 1000}

    def test_an_expired_lease(self, store: StoreOfTest, repository: UsageRepository) -> None:
        """The request began then; its late settlement corrects when it ended."""
        store.key("k")
        store.admit("q", output_tokens=30)
        store.advance(10 * TTL_MS)
        store.admit("next")
        assert repository.last_times(POOL, ["k"]) == {"k": START_MS / 1000}

        store.settle("q", output_tokens=3, at_ms=START_MS, total_ms=700)

        assert store.rows()[-1]["source"] == "corrected"
        assert repository.last_times(POOL, ["k"]) == {"k": (START_MS + 700) / 1000}

    def test_of_a_removed_key(self, store: StoreOfTest, repository: UsageRepository) -> None:
        store.key("k", name="ann", digest="d")
        store.settle(store.admit()["id"])
        assert repository.last_times(POOL, ["k"])

        store.scripts.run("remove_key", POOL, "k")

        assert repository.last_times(POOL, ["k"]) == {}
