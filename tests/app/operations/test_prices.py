"""Prices of models in a pool."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.errors import InvalidRequest
from app.operations.prices import micro_dollars, price_row

POOL = "team"


def test_prices(operations, audited):
    row = {"standard": {"input": 1_000_000, "output": 2_000_000}}
    assert operations.prices.set(POOL, "llama", row)["standard"] == row["standard"]
    assert operations.prices.remove(POOL, "llama")
    assert not operations.prices.remove(POOL, "llama")

    assert [one[:2] for one in audited()[1:3]] == [("price.set", "llama"), ("price.remove", "llama")]


@pytest.mark.parametrize(("dollars", "stored"), [("0", 0), ("1.25", 1_250_000), ("0.000001", 1)])
def test_micro_dollars(dollars, stored):
    assert micro_dollars(Decimal(dollars)) == stored


@pytest.mark.parametrize("dollars", ["-1", "0.0000001", "1e12"])
def test_not_a_price(dollars):
    with pytest.raises(InvalidRequest) as refused:
        micro_dollars(Decimal(dollars), param="input")
    assert refused.value.param == "input"


def test_a_row_stays_within_the_stored_bounds():
    """Rates are replaced; bounds that the change leaves out stay."""
    stored = {"context": 1000, "max_output": 100, "standard": {"input": 1}}

    row = price_row(stored, {"input": 5, "max_output": 200})

    assert row == {"standard": {"input": 5}, "context": 1000, "max_output": 200}
