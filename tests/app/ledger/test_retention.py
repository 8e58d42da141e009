"""Ledger entries are retained for the configured time, and the totals still match."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.ledger.retention import DAY_SECONDS, DAY_TOTALS_DAYS, MAX_REMOVED, Retention
from app.ledger.verify import Verification
from app.stores import keys, rollups
from app.stores.ledger import LedgerRepository
from app.stores.rollups import RollupRepository
from app.stores.scripts import Scripts
from tests.support.ledger_rows import record_request

POOL = "p"


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


def rows(scripts: Scripts) -> list[int]:
    """When each row was written, in Unix seconds."""
    return [int(entry.partition("-")[0]) // 1000 for entry, _ in scripts.client.xrange(keys.ledger(POOL))]


def write(scripts: Scripts, at: float, number: int) -> None:
    """Put rows into the ledger alone, as of *at*: a stream takes no entry older than its last."""
    pipeline = scripts.client.pipeline(transaction=False)
    for n in range(number):
        pipeline.xadd(keys.ledger(POOL), {"row": "{}", "why": "[]"}, id=f"{int(at) * 1000}-{n + 1}")
    pipeline.execute()


def test_rows_go_when_their_days_are_over(scripts: Scripts) -> None:
    now = time.time()
    write(scripts, now - 31 * DAY_SECONDS, 950)
    write(scripts, now - 29 * DAY_SECONDS, 50)

    assert Retention(LedgerRepository(scripts)).trim(POOL, 30, now) == 950

    assert len(rows(scripts)) == 50
    assert min(rows(scripts)) > now - 30 * DAY_SECONDS


def test_more_than_one_command_removes(scripts: Scripts) -> None:
    now = time.time()
    write(scripts, now - 3 * DAY_SECONDS, 2 * MAX_REMOVED + 500)

    assert Retention(LedgerRepository(scripts)).trim(POOL, 2, now) == 2 * MAX_REMOVED + 500
    assert Retention(LedgerRepository(scripts)).trim(POOL, 2, now) == 0


def test_totals_of_hours_go_with_the_rows_those_of_days_stay(scripts: Scripts) -> None:
    now = time.time()
    old = now - 40 * DAY_SECONDS
    record_request(scripts, POOL, old)
    record_request(scripts, POOL, now)

    Retention(LedgerRepository(scripts)).trim(POOL, 30, now)

    hours = RollupRepository(scripts.client).starts(POOL, rollups.HOUR)
    assert [start > old + DAY_SECONDS for start in hours] == [True]
    assert len(RollupRepository(scripts.client).starts(POOL, rollups.DAY)) == 2
    assert not scripts.client.exists(keys.rollup(POOL, rollups.HOUR, int(old - old % 3600)))


def test_totals_of_days_go_in_the_end(scripts: Scripts) -> None:
    now = time.time()
    record_request(scripts, POOL, now)

    Retention(LedgerRepository(scripts)).trim(POOL, 30, now + (DAY_TOTALS_DAYS - 2) * DAY_SECONDS)
    assert len(RollupRepository(scripts.client).starts(POOL, rollups.DAY)) == 1
    Retention(LedgerRepository(scripts)).trim(POOL, 30, now + (DAY_TOTALS_DAYS + 2) * DAY_SECONDS)
    assert RollupRepository(scripts.client).starts(POOL, rollups.DAY) == []


def test_what_is_left_balances(scripts: Scripts) -> None:
    now = time.time()
    for _ in range(3):
        record_request(scripts, POOL, now)

    assert Retention(LedgerRepository(scripts)).trim(POOL, 30, now + 40 * DAY_SECONDS) == 3

    record_request(scripts, POOL, now)
    assert Verification(LedgerRepository(scripts), POOL).differences() == []
