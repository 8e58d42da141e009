"""A range as one point, which is read in days where it can be: the same sums as its hours."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.ledger.known_totals import KnownTotals
from app.ledger.measured import MeasuredUsage
from app.ledger.points import REST
from app.ledger.ranges import Range, Step, range_between
from app.ledger.summaries import DAY, Summaries
from app.ledger.usage_reading import UsageReading
from app.stores.ledger import LedgerRepository
from app.stores.measurements import MeasurementRepository
from app.stores.scripts import Scripts
from app.stores.summaries import SummaryRepository
from tests.support.ledger_rows import add_entries, record_request

POOL = "default"
ZONES = [  # and when their clocks change
    ("UTC", "2026-10-26T10:20"),
    ("Europe/Berlin", "2026-10-27T10:20"),  # a day of 25 hours
    ("Europe/Berlin", "2026-04-01T00:00"),  # a day of 23 hours
    ("Asia/Kolkata", "2026-10-26T10:20"),  # 5:30 h before UTC
    ("America/St_Johns", "2026-11-04T22:40"),  # 3:30 h, and a day of 25 hours
    ("Australia/Lord_Howe", "2026-10-07T12:00"),  # the clocks change by half an hour
]
HOUR_SECONDS, DAY_SECONDS = 3600, 86_400


class ReadSpans(Summaries):
    """Notes what is read."""

    spans: list[str]

    def read(self, pool: str, span: str, starts: Any, *args: Any, **more: Any) -> Any:
        self.spans += [span] * len(starts)
        return super().read(pool, span, starts, *args, **more)


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


@pytest.fixture
def reading(scripts: Scripts) -> Callable[[int, ZoneInfo], UsageReading]:
    ledger = LedgerRepository(scripts)
    measured, known_totals = MeasuredUsage(ledger, MeasurementRepository(scripts)), KnownTotals()

    def at(now: int, zone: ZoneInfo) -> UsageReading:
        while measured.make(POOL, now, zone, 200):
            pass
        summaries = ReadSpans(ledger, SummaryRepository(scripts), known_totals)
        summaries.spans = []
        return UsageReading(POOL, now, zone, ledger, summaries, measured)

    return at


def moments(now: int) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield requests of the eight days before *now*: when each began, its row."""
    chance = random.Random(3)
    hours = range(now - now % HOUR_SECONDS - 8 * DAY_SECONDS, now - HOUR_SECONDS, HOUR_SECONDS)
    for at in (hour + offset for hour in hours for offset in (900, 2700) if chance.random() < 0.5):
        yield (
            at,
            {
                "key": f"key_{chance.randrange(3)}",
                "model": chance.choice(("gpt-5", 'odd"|name')),
                "input_tokens": chance.randrange(100),
                "total_ms": chance.randrange(1, 90_000),
            },
        )


def ranges(reading: UsageReading, zone: ZoneInfo) -> list[Range]:
    """Return the last days, and four days that end at an hour in the past."""
    now = reading.now
    past = range_between(now - 6 * DAY_SECONDS, now - 2 * DAY_SECONDS - 5 * HOUR_SECONDS, now, zone)
    return [*(reading.range_of(span) for span in ("1h", "24h", "7d", "30d")), past]


@pytest.mark.parametrize(("name", "local"), ZONES)
def test_usage(
    scripts: Scripts,
    reading: Callable[[int, ZoneInfo], UsageReading],
    name: str,
    local: str,
) -> None:
    zone = ZoneInfo(name)
    now = int(datetime.fromisoformat(local).replace(tzinfo=zone).timestamp())
    for at, row in moments(now):
        record_request(scripts, POOL, at, zone=name, **row)

    usage = reading(now, zone)
    for within in ranges(usage, zone):
        for by in ("all", "key", "account", "model"):
            each = usage.read(within, by)
            assert usage.read(within.as_one_point, by).totals() == each.totals()
            for line, total in each.totals().items():
                assert total["requests"] == sum(point["requests"] for point in each.points(line))
            some = [line for line in each.lines if line.endswith(("1", "name"))]
            selected, expected = usage.read_lines(within, by, some), each.with_rest(some)
            assert all(selected.points(line) == expected.points(line) for line in (*some, REST))


@pytest.mark.parametrize(("name", "local"), ZONES)
def test_times(
    scripts: Scripts,
    reading: Callable[[int, ZoneInfo], UsageReading],
    name: str,
    local: str,
) -> None:
    zone = ZoneInfo(name)
    now = int(datetime.fromisoformat(local).replace(tzinfo=zone).timestamp())
    rows = [
        {
            "id": "r",
            "at_ms": int(at * 1000),
            "account": "a",
            "endpoint": "/e",
            "status": 200,
            "source": "upstream",
        }
        | row
        for at, row in moments(now)
    ]
    add_entries(scripts, POOL, rows)

    usage = reading(now, zone)
    for within in ranges(usage, zone):
        for by in ("all", "key", "model", "endpoint"):
            assert usage.times(within.as_one_point, by).totals() == usage.times(within, by).totals()
        every, one = (usage.read(each, "endpoint") for each in (within, within.as_one_point))
        assert every.totals() == one.totals()


def test_full_days_are_read_in_one(
    scripts: Scripts, reading: Callable[[int, ZoneInfo], UsageReading]
) -> None:
    """Of seven days, one begins before them: an hour is read only of that and of today."""
    now = int(datetime.fromisoformat("2026-10-26T10:20+00:00").timestamp())
    for hours in range(0, 8 * 24, 2):
        record_request(scripts, POOL, now - 8 * DAY_SECONDS + hours * HOUR_SECONDS)

    usage = reading(now, ZoneInfo("UTC"))
    usage.read(usage.range_of("7d").as_one_point)

    spans: list[str] = usage._summaries.spans  # type: ignore[attr-defined]
    assert (spans.count(DAY), len(spans) - spans.count(DAY) <= 24) == (6, True)


@pytest.mark.parametrize("span", ["7d", "30d", "90d"])
def test_past_days_and_hours_are_added_up_once(
    scripts: Scripts, reading: Callable[[int, ZoneInfo], UsageReading], span: str
) -> None:
    """By a process, until a late settlement changes one of them."""
    now = int(datetime.fromisoformat("2026-10-26T10:20+00:00").timestamp())
    for hours in range(0, 8 * 24, 2):
        record_request(scripts, POOL, now - 8 * DAY_SECONDS + hours * HOUR_SECONDS)

    def total() -> tuple[int, int]:
        """Return the total of a key, and how many summaries were read."""
        usage = reading(now, ZoneInfo("UTC"))
        series = usage.read(usage.range_of(span).as_one_point, "key")
        return series.totals()["key_1"]["requests"], len(usage._summaries.spans)  # type: ignore[attr-defined]

    before, _ = total()
    assert total()[0] == before
    assert total() == (before, 0)
    for number, at in enumerate((now - 3 * HOUR_SECONDS, now - 3 * DAY_SECONDS), start=1):
        record_request(scripts, POOL, at)
        assert total()[0] == before + number
        assert total()[0] == before + number
        assert total() == (before + number, 0)


def test_the_zone_of_the_pool_changes(
    scripts: Scripts, reading: Callable[[int, ZoneInfo], UsageReading]
) -> None:
    """Days of both zones overlap: where they do, hours are read."""
    now = int(datetime.fromisoformat("2026-10-26T10:20+00:00").timestamp())
    name, names = "UTC", iter(("UTC", "Asia/Tokyo", "America/New_York"))
    for number, (at, row) in enumerate(moments(now)):
        if number % 90 == 0:
            name = next(names, name)
        record_request(scripts, POOL, at, zone=name, **row)

    usage = reading(now, ZoneInfo(name))
    for span in ("24h", "7d"):
        within = usage.range_of(span)
        assert usage.read(within.as_one_point, "key").totals() == usage.read(within, "key").totals()
        assert within.step in (Step.HOUR, Step.FOUR_HOURS)


def test_one_moment(scripts: Scripts, reading: Callable[[int, ZoneInfo], UsageReading]) -> None:
    """What a page shows adds up: requests that end while it is made are in none of its figures."""
    now = int(datetime.fromisoformat("2026-10-26T10:20+00:00").timestamp())
    record_request(scripts, POOL, now - 60)
    usage = reading(now, ZoneInfo("UTC"))
    assert usage.read(usage.range_of("24h")).totals()[""]["requests"] == 1

    record_request(scripts, POOL, now - 30)

    assert usage.read(usage.range_of("7d"), "key").totals()["key_1"]["requests"] == 1
    fresh = reading(now, ZoneInfo("UTC"))
    assert fresh.read(fresh.range_of("7d"), "key").totals()["key_1"]["requests"] == 2
