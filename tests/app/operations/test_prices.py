"""Prices of models in a pool."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.errors import InvalidRequest
from app.limits import pool_prices
from app.operations.prices import micro_dollars, price_row

POOL = "team"


def test_prices(operations, audited):
    row = {"standard": {"input": 1_000_000, "output": 2_000_000}}
    assert operations.prices.set(POOL, "llama", row)["standard"] == row["standard"]
    assert operations.prices.remove(POOL, "llama")
    assert not operations.prices.remove(POOL, "llama")

    assert [one[:2] for one in audited()[1:3]] == [("price.set", "llama"), ("price.remove", "llama")]


def test_add(operations, audited):
    """A new price replaces the shipped one, and none of the pool."""
    row = {"standard": {"input": 1_000_000, "output": 2_000_000}}
    operations.prices.add(POOL, "gpt-5", row)
    with pytest.raises(InvalidRequest) as refused:
        operations.prices.add(POOL, "gpt-5", row | {"context": 5})

    assert refused.value.param == "model"
    assert [one[:2] for one in audited()[1:]] == [("price.set", "gpt-5")]


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


@pytest.mark.parametrize("name", [" llama", "llama ", "", "x" * 257, "a\u200b"])
def test_a_name_that_no_model_has(operations, name):
    with pytest.raises(InvalidRequest, match="The name of a model must"):
        operations.prices.set(POOL, name, {"standard": {"input": 1, "output": 1}})


def test_at_most_so_many(operations, monkeypatch):
    """A name without a row is compared with every row."""
    monkeypatch.setattr(pool_prices, "MAX_OWN_PRICES", 2)
    row = {"standard": {"input": 1, "output": 1}}
    for name in ("a", "b", "a"):
        operations.prices.set(POOL, name, row)

    with pytest.raises(InvalidRequest, match="at most 2 prices"):
        operations.prices.set(POOL, "c", row)
