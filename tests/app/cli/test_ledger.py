"""`poolgate ledger`, on a real store."""

from __future__ import annotations

import json
import time

import pytest

from app.formatting import moment
from app.stores import keys

ROW = {
    "id": "r",
    "at_ms": int(time.time()) // 3600 * 3_600_000,  # one that is a day old is not recorded again
    "key": "k",
    "account": "a",
    "model": "m",
    "endpoint": "/v1/responses",
    "status": 200,
    "source": "upstream",
    "input_tokens": 5,
    "output_tokens": 1,
}
HOUR = moment(ROW["at_ms"] / 1000)


@pytest.fixture
def entry(services):
    services.ledger.settlements.settle("default", {"id": "r", "mark": {}, "row": ROW, "calendar": {}})


def test_balanced(poolgate, entry):
    result = poolgate("ledger verify")

    assert (result.exit_code, result.stdout) == (0, "The ledger balances: 1 entry, 3 totals.\n")


def test_difference(poolgate, entry, services):
    services.scripts.client.hincrby(
        keys.rollup("default", "h", ROW["at_ms"] // 1000), "k|a|m|input_tokens", 2
    )

    result = poolgate("ledger verify")
    report = json.loads(poolgate("ledger verify --json").stdout)

    assert result.exit_code == 1
    assert f"hour {HOUR}  k|a|m|input_tokens       7           5" in result.stdout
    assert (report["balanced"], report["rows"]) == (False, 1)
    assert report["differences"] == [
        {"total": f"hour {HOUR}", "figure": "k|a|m|input_tokens", "booked": 7, "recomputed": 5}
    ]
