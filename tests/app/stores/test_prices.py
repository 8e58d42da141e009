"""The prices that a pool sets itself; their version changes with every change."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores.prices import PriceRepository
from app.stores.records.prices import StoredPrices
from app.stores.records.versions import NONE_SET
from app.stores.scripts import Scripts

ROW = {"input": 1.5, "output": 6}


@pytest.fixture
def prices(redis_client: Any) -> PriceRepository:
    return PriceRepository(Scripts(redis_client))


def test_none(prices: PriceRepository) -> None:
    assert prices.read("p") == StoredPrices(NONE_SET, {})
    assert not prices.remove("p", "m")


def test_put_and_removed(prices: PriceRepository) -> None:
    prices.put("p", "m", {"input": 9})
    prices.put("p", "m", ROW)
    prices.put("p", "n", ROW)
    assert prices.read("p").rows == {"m": ROW, "n": ROW}

    assert prices.remove("p", "m")

    assert prices.read("p").rows == {"n": ROW}
    assert not prices.remove("p", "m")


def test_add_replaces_nothing(prices: PriceRepository) -> None:
    assert prices.add("p", "m", ROW)
    assert not prices.add("p", "m", {"input": 9})

    assert prices.read("p").rows == {"m": ROW}


def test_every_change_is_a_new_version(prices: PriceRepository) -> None:
    """Processes cache the rows of a version, so not even storing the same row again reuses one."""
    versions = [prices.read("p").version]
    for change in (
        lambda: prices.put("p", "m", ROW),
        lambda: prices.put("p", "m", ROW),
        lambda: prices.remove("p", "m"),
        lambda: prices.put("p", "m", ROW),
    ):
        change()
        versions.append(prices.read("p").version)

    assert len(set(versions)) == len(versions)


def test_pools_are_separate(prices: PriceRepository) -> None:
    prices.put("p", "m", ROW)

    assert prices.read("q") == StoredPrices(NONE_SET, {})
