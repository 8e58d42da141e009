"""What was used, point by point: the same as the rows, whatever is summed up beforehand."""

from __future__ import annotations

import random
import time

import pytest

from app.ledger.ranges import Span
from app.ledger.series import UsageSeries
from app.stores import keys, rollups
from app.stores.rollups import RollupRepository
from app.stores.scripts import Scripts
from tests.support.ledger_rows import record_request

POOL = "default"


@pytest.fixture
def scripts(redis_client):
    return Scripts(redis_client)


@pytest.fixture
def series(scripts):
    return UsageSeries(scripts)


def total(usage, who="", figure="requests"):
    return sum(point[figure] for point in usage.points(who))


class TestSeries:
    @pytest.mark.parametrize("beforehand", [False, True])
    def test_equals_the_sum_of_the_rows(self, series, scripts, beforehand):
        """By anything, at every point, whether a background job has been at it or not."""
        chance, now = random.Random(7), time.time()
        rows = [
            record_request(
                scripts,
                POOL,
                now - chance.uniform(0, 29 * 86400),
                key=f"key_{chance.randrange(3)}",
                account=f"acct_{chance.randrange(2)}",
                model=chance.choice(("gpt-5", "odd|name")),
                status=chance.choice((200, 200, 500)),
                input_tokens=chance.randrange(100),
            )
            for _ in range(200)
        ]
        if beforehand:
            assert series.make(POOL) > 0
            while series.make(POOL):
                pass

        for _ in range(2):  # the second time from the stored summaries
            for by in ("key", "account", "model"):
                usage = series.series(POOL, "30d", by)
                for who in {row[by] for row in rows}:
                    matching = [row for row in rows if row[by] == who]
                    assert total(usage, who) == len(matching)
                    assert total(usage, who, "errors") == sum(row["status"] == 500 for row in matching)
                    assert total(usage, who, "input_tokens") == sum(row["input_tokens"] for row in matching)
            usage = series.series(POOL, "7d")
            first_hour = usage.until - usage.until % 3600 - 167 * 3600
            assert total(usage) == sum(row["at_ms"] / 1000 >= first_hour for row in rows)

    def test_at_the_right_point(self, series, scripts):
        now = int(time.time())
        record_request(scripts, POOL, now - 5 * 3600)

        usage = series.series(POOL, "24h")

        points = [point["requests"] for point in usage.points()]
        assert len(points) == 24
        assert points.index(1) in (17, 18)  # the hour may change meanwhile
        assert usage.starts[1] - usage.starts[0] == 3600

    def test_the_last_hour_is_by_end(self, series, scripts):
        """Requests show as they end, minute by minute."""
        record_request(scripts, POOL, time.time() - 40, status=500)

        usage = series.series(POOL, "1h")

        assert len(usage.starts) == 60
        assert sum(point["requests"] for point in usage.points()[-2:]) == 1
        assert usage.totals()[""]["errors"] == 1

    def test_a_late_row_counts(self, series, scripts):
        """Also in an hour and a day whose summaries were stored."""
        long_ago = time.time() - 3 * 86400
        record_request(scripts, POOL, long_ago)
        series.make(POOL)
        assert [total(series.series(POOL, span)) for span in ("7d", "30d")] == [1, 1]

        record_request(scripts, POOL, long_ago)

        assert [total(series.series(POOL, span)) for span in ("7d", "30d")] == [2, 2]

    def test_a_correction_is_no_request(self, series, scripts):
        record_request(scripts, POOL, time.time() - 1)
        record_request(scripts, POOL, time.time() - 1, source="corrected", input_tokens=-4)

        for span in list(Span):
            usage = series.series(POOL, span)
            assert (total(usage), total(usage, figure="input_tokens")) == (1, 6)

    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
    def test_days_are_the_pools(self, series, scripts, redis_client, zone):
        redis_client.hset(keys.pool(POOL), "zone", zone)
        record_request(scripts, POOL, time.time() - 1)

        usage = series.series(POOL, "30d")

        assert len(usage.starts) == 30
        assert usage.points()[-1]["requests"] == 1

    @pytest.mark.parametrize("span", list(Span))
    def test_nothing(self, series, span):
        usage = series.series(POOL, span, "key")

        assert (usage.lines, usage.totals()) == ({}, {})
        assert not any(point["requests"] for point in usage.points("key_1"))


class TestBeginnings:
    def test_they_are_noted(self, scripts, redis_client):
        RollupRepository(redis_client).starts(POOL, rollups.HOUR)
        row = record_request(scripts, POOL, 1_700_000_000)

        assert RollupRepository(redis_client).starts(POOL, rollups.HOUR) == [row["at_ms"] // 3_600_000 * 3600]

    def test_those_from_before_are_found_once(self, scripts, redis_client):
        record_request(scripts, POOL, 1_700_000_000)
        record_request(scripts, POOL, 1_600_000_000)
        redis_client.delete(keys.rollup_starts(POOL, rollups.DAY))

        first = RollupRepository(redis_client).starts(POOL, rollups.DAY)

        assert len(first) == 2
        assert first == sorted(first) == RollupRepository(redis_client).starts(POOL, rollups.DAY)
