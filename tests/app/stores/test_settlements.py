"""Settlements are written once, and those that the store lost are found."""

from __future__ import annotations

import orjson
import pytest

from app.errors import StoreRefused
from app.stores.settlements import SettlementRepository
from tests.support.store import StoreOfTest


@pytest.fixture
def settlements(store: StoreOfTest) -> SettlementRepository:
    store.account("a")
    return SettlementRepository(store.scripts)


def settlement(store: StoreOfTest, request_id: str, **row: int) -> bytes:
    calendar, entry = store.calendar(), store.row(request_id, **row)
    return orjson.dumps({"id": request_id, "mark": {}, "calendar": calendar, "row": entry})


def test_written_once(settlements: SettlementRepository, store: StoreOfTest) -> None:
    store.admit("r1")
    written = settlement(store, "r1", input_tokens=7)

    assert settlements.settle(store.pool, written)
    assert settlements.settle(store.pool, written)

    assert [row["input_tokens"] for row in store.rows()] == [7]
    assert store.used("k")["input_tokens"] == 7
    assert store.leases() == {}


def test_too_late(settlements: SettlementRepository, store: StoreOfTest) -> None:
    """A day after the request it is not known any more whether it was settled before."""
    late = settlement(store, "r1", input_tokens=7)
    store.advance(2 * 86_400_000)

    assert not settlements.settle(store.pool, late)
    assert store.rows() == []


def test_find_lost(settlements: SettlementRepository, store: StoreOfTest) -> None:
    for request_id in ("r1", "r2"):
        store.admit(request_id)
    settlements.settle(store.pool, settlement(store, "r1"))

    assert settlements.find_lost(store.pool, ["r2", "r1", "r3"]) == ["r2", "r3"]


@pytest.mark.parametrize("wrong", [b"{}", b"[]", b"not JSON"])
def test_an_invalid_settlement(settlements: SettlementRepository, store: StoreOfTest, wrong: bytes) -> None:
    """It is refused before anything is written."""
    with pytest.raises(StoreRefused):
        settlements.settle(store.pool, wrong)

    assert store.rows() == []
