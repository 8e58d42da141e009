"""Answers of later models: found among the entries that are shown, else by the ids of the request."""

from __future__ import annotations

from typing import Any

import pytest

from app.ledger.answers import answered_before, answers_of
from app.stores import keys
from app.stores.ledger import LedgerRepository, ids_at_models, request_of
from app.stores.records.ledger import LedgerEntry
from app.stores.scripts import Scripts
from tests.support.store import POOL, StoreOfTest

ID = "0b54a1f2-6e0c-4d8e-9c1b-2f7f3f4f5a6b"


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    store.key("k")
    store.account("a", models=("m", "n", "o"))
    return store


def settle(store: StoreOfTest, request_id: str, **row: Any) -> None:
    store.admit(request_id, model=row.get("model", "m"))
    store.settle(request_id, **row)


@pytest.fixture
def ledger(store: StoreOfTest) -> LedgerRepository:
    """A request that two models failed and the third answered, and two that failed."""
    settle(store, ID, status=502, models=3)
    settle(store, f"{ID}-1", status=500, models=3, fallback_of=ID, fallbacks=1, model="n")
    settle(store, f"{ID}-2", status=200, fallback_of=f"{ID}-1", fallbacks=1, model="o")
    settle(store, "alone", status=502)
    settle(store, "both", status=502, models=2)
    settle(store, "both-1", status=502, models=2, fallback_of="both", fallbacks=1)
    return LedgerRepository(Scripts(store.client))


def found(ledger: LedgerRepository, entries: list[LedgerEntry]) -> dict[str, tuple[str, str]]:
    answers = answers_of(ledger, POOL, entries)
    return {one: (answer.request_id, answer.model) for one, answer in answers.items()}


def test_every_failure_leads_to_the_answer(ledger: LedgerRepository) -> None:
    expected = {ID: (f"{ID}-2", "o"), f"{ID}-1": (f"{ID}-2", "o")}

    entries = ledger.newest(POOL, 10)

    assert found(ledger, entries) == expected
    assert found(ledger, [entry for entry in entries if entry.status >= 400]) == expected


def test_a_day_later(ledger: LedgerRepository, store: StoreOfTest) -> None:
    """The ids of requests are forgotten then, but not what the page shows."""
    entries = ledger.newest(POOL, 10)
    for entry in entries:
        store.client.delete(keys.settled(POOL, entry.request_id))

    assert set(found(ledger, entries)) == {ID, f"{ID}-1"}
    assert found(ledger, entries[:1]) == {}


def test_only_failures_at_one_of_several_models_are_looked_up(
    ledger: LedgerRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older version has written states no number of models."""
    monkeypatch.setattr(ledger, "entry_ids", None)

    assert found(ledger, [entry for entry in ledger.newest(POOL, 10) if entry.models == 1]) == {}


def test_failures_before_an_answer(ledger: LedgerRepository) -> None:
    entries = ledger.newest(POOL, 10)

    pairs = [
        (failure.request_id, answer.request_id) for failure, answer in answered_before(ledger, POOL, entries)
    ]

    assert pairs == [(ID, f"{ID}-2"), (f"{ID}-1", f"{ID}-2")]


def test_ids() -> None:
    assert ids_at_models("r", 3) == ids_at_models("r-2", 3) == ["r", "r-1", "r-2"]
    assert request_of(ID) == request_of(f"{ID}-12") == ID
    assert request_of("r" * 200) == "r" * 200
    assert len(ids_at_models("r", 10**6)) == 33
