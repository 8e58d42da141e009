"""Every pool's ledger is trimmed by its own setting."""

from __future__ import annotations

import time

import pytest

from app.accounts.settings import with_number
from app.stores import keys
from app.wiring import Services
from tests.support.ledger_rows import record_request
from tests.workers.conftest import POOL
from workers import retention

DAY_SECONDS = 86400


@pytest.mark.parametrize(("keep_days", "left"), [(None, 0), (60, 1)])
def test_the_ledger_of_forty_days_ago(built: Services, keep_days: int | None, left: int) -> None:
    built.pools.ensure(POOL)
    if keep_days:
        built.pools.change(POOL, settings=lambda text: with_number(text, "keep_days", keep_days))
    now = time.time()
    record_request(built.scripts, POOL, now - 40 * DAY_SECONDS)

    retention.run(built, now)

    assert built.scripts.client.exists(keys.rollup(POOL, "h", hour(now - 40 * DAY_SECONDS))) == left


def hour(at: float) -> int:
    return int(at - at % 3600)
