"""Measurements of a range: the same as those of the ledger's entries, whatever is made beforehand."""

from __future__ import annotations

import random
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.ledger.histograms import bucket_of, merged
from app.ledger.measured import MeasuredUsage
from app.ledger.measurements import Measure
from app.ledger.ranges import Span, day_start_of
from app.ledger.series import UsageSeries
from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.measurements import MeasurementRepository
from app.stores.scripts import Scripts
from tests.support.ledger_rows import add_entries

POOL = "default"
HOUR, DAY = 3600, 86400


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


@pytest.fixture
def series(scripts: Scripts) -> UsageSeries:
    return UsageSeries(scripts)


def make_all(series: UsageSeries) -> None:
    while series.make(POOL):
        pass


def row(at: float, **more: Any) -> dict[str, Any]:
    return {
        "id": "req_1",
        "at_ms": int(at * 1000),
        "key": "key_1",
        "account": "acct_1",
        "model": "gpt-5",
        "endpoint": "/v1/responses",
        "status": 200,
        "source": "upstream",
        "output_tokens": 2,
        "first_ms": 100,
        "total_ms": 300,
    } | more


def times_of(series: UsageSeries, span: str, by: str = "all", who: str = "") -> dict[int, int]:
    totals = series.times(POOL, series.range_of(POOL, span), by).totals()
    return dict(totals[who][Measure.TOTAL]) if who in totals else {}


def histogram_of(rows: list[dict[str, Any]]) -> dict[int, int]:
    return merged({bucket_of(each["total_ms"]): 1} for each in rows)


@pytest.fixture
def rows(scripts: Scripts) -> list[dict[str, Any]]:
    """Two hundred requests of the last 29 days."""
    chance, now = random.Random(7), time.time()
    rows = [
        row(
            now - 1 - chance.random() ** 4 * 29 * DAY,
            key=f"key_{chance.randrange(3)}",
            endpoint=chance.choice(("/v1/responses", "/v1/embeddings")),
            total_ms=chance.randrange(1, 90_000),
        )
        for _ in range(200)
    ]
    add_entries(scripts, POOL, rows)
    return rows


class TestTimes:
    def test_equal_those_of_the_rows(self, series: UsageSeries, rows: list[dict[str, Any]]) -> None:
        make_all(series)

        for span in Span:
            within = series.range_of(POOL, span)
            ended = [each for each in rows if each["at_ms"] >= 1000 * within.since]
            assert times_of(series, span) == histogram_of(ended)
            for who in ("key_0", "key_2"):
                own = [each for each in ended if each["key"] == who]
                assert times_of(series, span, "key", who) == histogram_of(own)

    def test_at_the_right_point(self, series: UsageSeries, scripts: Scripts) -> None:
        add_entries(scripts, POOL, [row(time.time() - 5 * HOUR)])
        make_all(series)

        points = series.times(POOL, series.range_of(POOL, "24h"), "all").points("")

        assert [bool(times[Measure.TOTAL]) for times in points].index(True) in (17, 18)

    def test_only_some_lines(self, series: UsageSeries, rows: list[dict[str, Any]]) -> None:
        make_all(series)

        times = series.times(POOL, series.range_of(POOL, "30d"), "key", ["key_1"])

        assert set(times.lines) == {"key_1"}

    def test_the_last_hours_need_no_preparation(self, series: UsageSeries, scripts: Scripts) -> None:
        """While the worker is away, a call makes the minutes of the last two hours, and no more."""
        now = time.time()
        add_entries(scripts, POOL, [row(now - 30), row(now - HOUR + 120), row(now - 20 * HOUR)])

        for _ in range(2):  # the second time from stored minutes
            assert sum(times_of(series, "1h").values()) == 2
            assert sum(times_of(series, "24h").values()) == 2

        make_all(series)
        assert sum(times_of(series, "24h").values()) == 3

    def test_hours_that_the_worker_missed(
        self, series: UsageSeries, rows: list[dict[str, Any]], redis_client: Any
    ) -> None:
        """They are made of the entries, also where some minutes are left."""
        make_all(series)
        for name in redis_client.scan_iter("*measured:h:*"):
            redis_client.delete(name)
        minutes = sorted(redis_client.scan_iter("*measured:m:*"))
        redis_client.delete(*minutes[::2])

        make_all(series)

        within = series.range_of(POOL, "24h")
        ended = [each for each in rows if each["at_ms"] >= 1000 * within.since]
        assert times_of(series, "24h") == histogram_of(ended)

    def test_outlive_their_entries(self, series: UsageSeries, scripts: Scripts, redis_client: Any) -> None:
        add_entries(scripts, POOL, [row(time.time() - 20 * DAY), row(time.time() - 3 * DAY)])
        make_all(series)
        redis_client.delete(keys.ledger(POOL))

        assert sum(times_of(series, "30d").values()) == 2

    def test_nothing_is_made_twice(self, series: UsageSeries, rows: list[dict[str, Any]]) -> None:
        make_all(series)

        assert series.make(POOL) == 0

    def test_a_day_waits_for_its_hours(
        self, series: UsageSeries, scripts: Scripts, redis_client: Any
    ) -> None:
        """What a run leaves to the next one, the newest first, is in no day yet."""
        now = int(time.time())
        add_entries(scripts, POOL, [row(now - 3 * DAY), row(now - 2 * HOUR)])
        measured = MeasuredUsage(LedgerRepository(scripts), MeasurementRepository(scripts))

        measured.make(POOL, now, ZoneInfo("UTC"), max_made=30)
        assert len(list(redis_client.scan_iter("*measured:d:*"))) in (0, 1)

        while measured.make(POOL, now, ZoneInfo("UTC"), max_made=30):
            pass
        assert sum(times_of(series, "30d").values()) == 2

    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
    def test_days_are_the_pools(
        self, series: UsageSeries, rows: list[dict[str, Any]], redis_client: Any, zone: str
    ) -> None:
        """Every request is in exactly one day; the hour in which a day begins is part of that day."""
        redis_client.hset(keys.pool(POOL), "zone", zone)
        make_all(series)

        assert times_of(series, "30d") == histogram_of(rows)

    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
    def test_a_day_waits_for_the_hour_in_which_it_begins(
        self, series: UsageSeries, scripts: Scripts, redis_client: Any, zone: str
    ) -> None:
        """Hours are made from the newest to the oldest, here one by one: a day is made after its first."""
        redis_client.hset(keys.pool(POOL), "zone", zone)
        now = int(time.time())
        begins = day_start_of(now - 2 * DAY, ZoneInfo(zone))
        rows = [row(begins + offset, total_ms=300 + 100 * offset) for offset in (1, HOUR + 1)]
        add_entries(scripts, POOL, rows)
        measured = MeasuredUsage(LedgerRepository(scripts), MeasurementRepository(scripts))

        while measured.make(POOL, now, ZoneInfo(zone), max_made=1):
            pass

        assert times_of(series, "30d") == histogram_of(rows)

    def test_nothing(self, series: UsageSeries) -> None:
        assert series.make(POOL) == 0
        assert all(times_of(series, span) == {} for span in Span)


class TestEndpoints:
    def test_usage(self, series: UsageSeries, rows: list[dict[str, Any]]) -> None:
        make_all(series)

        for span in Span:
            within = series.range_of(POOL, span)
            totals = series.read(POOL, within, "endpoint").totals()
            for endpoint in ("/v1/responses", "/v1/embeddings"):
                ended = [
                    each
                    for each in rows
                    if each["endpoint"] == endpoint and each["at_ms"] >= 1000 * within.since
                ]
                assert totals.get(endpoint, {"requests": 0})["requests"] == len(ended)
