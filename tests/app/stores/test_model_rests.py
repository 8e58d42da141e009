"""Reading the models that rest at accounts, as the scripts store them."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores.model_rests import ModelRestRepository
from app.stores.records.accounts import ModelRest, ModelState
from tests.support.store import StoreOfTest

NOW = 1_800_000_000
NOW_MS = NOW * 1000


def rest(store: StoreOfTest, account: str, model: str, why: str, wait_ms: int = 60_000) -> None:
    mark: dict[str, Any] = {"model": model, "why": why, "wait_ms": wait_ms}
    store.settle(store.admit(pin=account, model=model)["id"], mark)


@pytest.fixture
def rests(store: StoreOfTest) -> ModelRestRepository:
    store.set_clock(NOW_MS)
    for name in "ab":
        store.account(name)
    return ModelRestRepository(store.scripts)


@pytest.mark.parametrize("state", list(ModelState))
def test_each_reason(store: StoreOfTest, rests: ModelRestRepository, state: ModelState) -> None:
    assert rests.all(store.pool, NOW) == {}

    rest(store, "a", "m", state)

    expected = ModelRest("m", state, NOW_MS + 60_000)
    assert rests.all(store.pool, NOW) == {"a": [expected]}
    assert rests.of_account(store.pool, "a", NOW) == [expected]
    assert rests.of_account(store.pool, "b", NOW) == []


def test_what_is_over_is_left_out(store: StoreOfTest, rests: ModelRestRepository) -> None:
    rest(store, "a", "x", "overloaded", 1000)
    rest(store, "a", "y", "missing", 5000)

    assert [each.model for each in rests.all(store.pool, NOW + 1.001)["a"]] == ["y"]
    assert rests.all(store.pool, NOW + 5) == {}


def test_what_is_missing_comes_before_another_reason(store: StoreOfTest, rests: ModelRestRepository) -> None:
    for why in ("overloaded", "missing"):
        request = store.admit(pin="a", model="free")["id"]
        store.settle(request, {"model": "m", "why": why, "wait_ms": 60_000})

    (found,) = rests.of_account(store.pool, "a", NOW)

    assert found.state is ModelState.MISSING
