"""Ledger rows as `settle` writes them, for any time that a test needs."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import orjson

from app.stores.scripts import Scripts

LATE_SECONDS = 86_000.0  # a little less than a day
_numbers = count(1)


def record_request(scripts: Scripts, pool: str, at: float, **more: Any) -> dict[str, Any]:
    """Book a request that began *at* (Unix seconds) and ends now, or on that day; return its row."""
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
    settlement = orjson.dumps({"id": row["id"], "mark": {}, "calendar": {}, "row": row})
    if at < time.time() - LATE_SECONDS:  # such a settlement would come too late, were it not settled then
        scripts = Scripts(scripts.client, clock=f"local function clock() return {row['at_ms']} end")
    scripts.run("settle", pool, settlement)
    return row
