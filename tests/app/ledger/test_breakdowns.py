"""The usage of one key, account, model or team by another of these is that of the rows."""

from __future__ import annotations

import random
import time
from typing import Any

import orjson
import pytest

from app.errors import InvalidRequest
from app.ledger.series import UsageSeries
from app.ledger.sums import Grouping, Only
from app.stores import keys
from app.stores.scripts import Scripts
from tests.support.ledger_rows import record_request

POOL = "default"
DAY = 86400


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


@pytest.fixture
def series(scripts: Scripts) -> UsageSeries:
    return UsageSeries(scripts)


@pytest.fixture
def rows(scripts: Scripts) -> list[dict[str, Any]]:
    chance, now = random.Random(7), time.time()
    return [
        record_request(
            scripts,
            POOL,
            now - chance.random() ** 3 * 20 * DAY,
            key=f"key_{chance.randrange(3)}",
            account=f"acct_{chance.randrange(2)}",
            model=chance.choice(("gpt-5", "odd|name")),
            team=chance.choice(("red", "blue")),
            input_tokens=chance.randrange(100),
        )
        for _ in range(60)
    ]


def make_all(series: UsageSeries) -> None:
    while series.make(POOL):
        pass


def usage(series: UsageSeries, span: str, by: str, only: Only) -> dict[str, tuple[int, int]]:
    totals = series.read(POOL, series.range_of(POOL, span), by, only).totals()
    return {who: (figures["requests"], figures["input_tokens"]) for who, figures in totals.items()}


@pytest.mark.parametrize("beforehand", [False, True])
@pytest.mark.parametrize("span", ["24h", "7d", "30d", "90d"])
def test_equals_the_rows(
    series: UsageSeries, rows: list[dict[str, Any]], span: str, beforehand: bool
) -> None:
    if beforehand:
        make_all(series)

    for only in (Only(Grouping.KEY, "key_1"), Only(Grouping.TEAM, "red"), Only(Grouping.MODEL, "odd|name")):
        for by in only.groupings:
            result = series.read(POOL, series.range_of(POOL, span), by, only)
            if result.unprepared:
                assert not beforehand
                continue
            expected: dict[str, tuple[int, int]] = {}
            for row in rows:
                if row[only.noun] == only.id and row["at_ms"] >= 1000 * result.starts[0]:
                    requests, tokens = expected.get(row[by], (0, 0))
                    expected[row[by]] = requests + 1, tokens + row["input_tokens"]
            assert usage(series, span, by, only) == expected


def test_a_late_entry_counts(series: UsageSeries, scripts: Scripts) -> None:
    """It makes the stored breakdowns invalid, together with their summary."""
    long_ago, only = time.time() - 3 * DAY, Only(Grouping.KEY, "key_1")
    record_request(scripts, POOL, long_ago)
    make_all(series)
    assert usage(series, "30d", "model", only) == {"gpt-5": (1, 10)}

    record_request(scripts, POOL, long_ago)

    assert usage(series, "30d", "model", only) == {"gpt-5": (2, 20)}


@pytest.mark.parametrize("by", ["all", "key"])
def test_of_itself(series: UsageSeries, scripts: Scripts, by: str) -> None:
    record_request(scripts, POOL, time.time() - 1)
    record_request(scripts, POOL, time.time() - 1, key="key_2")

    for span in ("1h", "30d"):
        line = "" if by == "all" else "key_2"
        assert usage(series, span, by, Only(Grouping.KEY, "key_2")) == {line: (1, 10)}
        assert usage(series, span, by, Only(Grouping.KEY, "key_none")) == {}


def test_many_unprepared_days(series: UsageSeries, scripts: Scripts) -> None:
    """A call makes a few; it reports how many are missing from its result."""
    for back in range(1, 12):
        record_request(scripts, POOL, time.time() - back * DAY)
    only = Only(Grouping.KEY, "key_1")

    assert series.read(POOL, series.range_of(POOL, "30d"), "model", only).unprepared == 6

    make_all(series)
    assert series.read(POOL, series.range_of(POOL, "30d"), "model", only).unprepared == 0


@pytest.mark.parametrize(
    ("only", "by", "span", "param"),
    [
        (Only(Grouping.TEAM, "red"), "key", "24h", "by"),
        (Only(Grouping.KEY, "key_1"), "endpoint", "24h", "by"),
        (Only(Grouping.KEY, "key_1"), "team", "24h", "by"),
        (Only(Grouping.ENDPOINT, "/v1/responses"), "key", "24h", "by"),
    ],
)
def test_impossible(series: UsageSeries, only: Only, by: str, span: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        series.read(POOL, series.range_of(POOL, span), by, only)

    assert refused.value.param == param


def test_too_long_ago(series: UsageSeries) -> None:
    now = time.time()
    within = series.range_between(POOL, now - 300 * DAY, now)

    with pytest.raises(InvalidRequest) as refused:
        series.read(POOL, within, "model", Only(Grouping.KEY, "key_1"))

    assert refused.value.param == "from"


@pytest.mark.parametrize("beforehand", [False, True])
def test_the_last_hour(series: UsageSeries, scripts: Scripts, beforehand: bool) -> None:
    """By when requests ended; of minutes that are over, and of the one that runs."""
    for number, seconds in enumerate((3000, 600, 599, 90, 0)):
        end_ms = round((time.time() - seconds) * 1000)
        row = {"id": f"r{number}", "at_ms": end_ms, "key": "key_1", "account": "acct_1", "status": 200}
        row |= {"model": "m" if number % 2 else "n", "team": "red", "source": "upstream", "input_tokens": 7}
        entry = {"row": orjson.dumps(row), "why": "[]"}
        scripts.client.xadd(keys.ledger(POOL), entry, id=f"{end_ms}-{number}")
    if beforehand:
        make_all(series)

    for _ in range(2):  # as it is made, and as it was stored
        assert usage(series, "1h", "model", Only(Grouping.KEY, "key_1")) == {"n": (3, 21), "m": (2, 14)}
        assert usage(series, "1h", "account", Only(Grouping.TEAM, "red")) == {"acct_1": (5, 35)}
        assert usage(series, "1h", "key", Only(Grouping.MODEL, "m")) == {"key_1": (2, 14)}
        assert usage(series, "1h", "model", Only(Grouping.KEY, "key_2")) == {}


def test_one_endpoint(series: UsageSeries, scripts: Scripts) -> None:
    only = Only(Grouping.ENDPOINT, "/v1/embeddings")
    record_request(scripts, POOL, time.time() - 1)
    record_request(scripts, POOL, time.time() - 1, endpoint=only.id)

    for span in ("1h", "24h", "30d"):
        assert usage(series, span, "all", only) == {"": (1, 10)}
        assert usage(series, span, "endpoint", only) == {only.id: (1, 10)}
