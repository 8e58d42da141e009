"""Ledger rows as `settle` writes them, for any time that a test needs."""

from __future__ import annotations

import time
from functools import lru_cache
from itertools import count
from typing import Any

import orjson

from app.stores import keys
from app.stores.calendar import Calendar
from app.stores.scripts import Scripts
from tests.support.store import CLOCK

LATE_SECONDS = 86_000.0  # a little less than a day
_numbers = count(1)


def record_request(
    scripts: Scripts, pool: str, at: float, *, zone: str = "UTC", **more: Any
) -> dict[str, Any]:
    """
    Record a request that began *at* (Unix seconds) and ends now, or on that day; return its row.

    The day is that of *zone*.
    """
    row = {
        "id": f"req_{next(_numbers)}",
        "at_ms": int(at * 1000),
        "key": "key_1",
        "account": "acct_1",
        "model": "gpt-5",
        "endpoint": "/v1/responses",
        "status": 200,
        "source": "upstream",
        "input_tokens": 10,
        "output_tokens": 2,
        "cost": 5,
        "first_ms": 100,
        "total_ms": 300,
    } | more
    is_late = at < time.time() - LATE_SECONDS
    calendar = Calendar().windows(zone, at if is_late else time.time()) if zone != "UTC" else {}
    settlement = orjson.dumps({"id": row["id"], "mark": {}, "calendar": calendar, "row": row})
    if is_late:  # a settlement now would be too late, so it is settled at that time
        scripts.client.set(keys.root(pool) + "test-clock", row["at_ms"])
        scripts = _at_test_clock(scripts.client)
    scripts.run("settle", pool, settlement)
    return row


def next_millisecond(client: Any) -> None:
    """Return when the clock of the store has moved on: what is recorded next has a later position."""
    began = _unix_ms(client)
    while _unix_ms(client) <= began:
        pass


def _unix_ms(client: Any) -> int:
    seconds, microseconds = client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


@lru_cache(maxsize=1)
def _at_test_clock(client: Any) -> Scripts:
    """Return scripts that run at the time in `test-clock`; creating them for each row would take long."""
    return Scripts(client, clock=CLOCK)


def add_entries(scripts: Scripts, pool: str, rows: list[dict[str, Any]]) -> None:
    """Write *rows* only to the ledger, as requests that ended at their `at_ms`, oldest first."""
    for row in sorted(rows, key=lambda each: each["at_ms"]):
        entry = {"row": orjson.dumps(row).decode(), "why": "[]"}
        scripts.client.xadd(keys.ledger(pool), entry, id=f"{row['at_ms']}-*")
