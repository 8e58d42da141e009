"""`poolgate ledger`, on a real store."""

from __future__ import annotations

import json

import pytest

from app.stores import keys

ROW = {
    "id": "r",
    "at_ms": 1_774_742_400_000,
    "key": "k",
    "account": "a",
    "model": "m",
    "endpoint": "/v1/responses",
    "status": 200,
    "source": "upstream",
    "input_tokens": 5,
    "output_tokens": 1,
}


@pytest.fixture
def booked(services):
    services.books.settle("default", {"id": "r", "mark": {}, "row": ROW, "calendar": {}})


def test_balanced(poolgate, booked):
    result = poolgate("ledger verify")

    assert (result.exit_code, result.stdout) == (0, "The books balance: 1 rows, 3 totals.\n")


def test_difference(poolgate, booked, services):
    services.scripts.client.hincrby(
        keys.rollup("default", "h", ROW["at_ms"] // 1000), "k|a|m|input_tokens", 2
    )

    result = poolgate("ledger verify")
    told = json.loads(poolgate("ledger verify --json").stdout)

    assert result.exit_code == 1
    assert "hour 2026-03-29 00:00Z  k|a|m|input_tokens       7           5" in result.stdout
    assert (told["balanced"], told["rows"]) == (False, 1)
    assert told["differences"] == [
        {"total": "hour 2026-03-29 00:00Z", "figure": "k|a|m|input_tokens", "booked": 7, "recomputed": 5}
    ]
