"""Summaries of past hours are prepared before they are requested."""

from __future__ import annotations

import time

from app.stores import keys
from app.wiring import Services
from tests.support.ledger_rows import record_request
from tests.workers.conftest import POOL
from workers import summaries


def test_hours_and_days_that_are_over(built: Services) -> None:
    now = time.time()
    for back in (0, 3, 50):
        record_request(built.scripts, POOL, now - back * 3600)

    summaries.run(built, now)

    numbers = {
        span: list(built.scripts.client.scan_iter(keys.summary(POOL, span, 0)[:-1] + "*")) for span in "hd"
    }
    assert len(numbers["h"]) == 2
    assert len(numbers["d"]) in (1, 2)  # three hours ago may have been yesterday
