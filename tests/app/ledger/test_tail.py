"""The requests of a pool as they end, on a real store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from redis import Redis

from app.ledger import tail as module
from app.ledger.index import LedgerIndex
from app.ledger.query import LedgerQuery
from app.ledger.search import LedgerSearch
from app.ledger.tail import LedgerTail
from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.ledger_index import LedgerIndexRepository
from app.stores.records.ledger import LedgerEntry
from app.stores.records.refusals import RefusalGroup, RefusedRequest
from app.stores.refusals import RefusalRepository
from app.stores.scripts import Scripts
from tests.support.ledger_rows import next_millisecond, record_request
from tests.support.refusals import record_refusals

POOL = "default"

Record = Callable[..., None]


@pytest.fixture
def record(redis_client: Redis) -> Record:
    def record(request_id: str, **row: object) -> None:
        next_millisecond(redis_client)
        record_request(Scripts(redis_client), POOL, time.time(), id=request_id, **row)

    return record


@pytest.fixture
def refuse(redis_client: Redis) -> Callable[[str], None]:
    redis_client.hset(keys.api_key(POOL, "key_1"), "name", "ann")

    def refuse(request_id: str) -> None:
        next_millisecond(redis_client)
        row = RefusedRequest(
            request_id, 0, "m", "/v1/responses", 429, "spent", "no", pool=POOL, key="key_1"
        ).row()
        group = RefusalGroup("key_1", "", "spent", 1, 0, False, [row.decode()], {})
        record_refusals(RefusalRepository(Scripts(redis_client)), POOL, group)

    return refuse


@pytest.fixture
def tail_of(redis_client: Redis) -> Callable[..., LedgerTail]:
    scripts = Scripts(redis_client)
    ledger = LedgerRepository(scripts)
    index = LedgerIndex(ledger, LedgerIndexRepository(scripts))
    search = LedgerSearch(ledger, RefusalRepository(scripts), index)

    def tail_of(**query: str) -> LedgerTail:
        return LedgerTail(ledger, search, POOL, LedgerQuery(**query))

    return tail_of


def ids(entries: Sequence[LedgerEntry]) -> list[str]:
    return [entry.request_id for entry in entries]


def test_each_request_once_in_its_order(tail_of, record, refuse) -> None:
    for number in range(4):
        record(f"a{number}")
    tail = tail_of()

    assert ids(tail.begin(2)) == ["a2", "a3"]
    assert ids(tail.new()) == []
    record("b0")
    refuse("b1")
    record("b2")
    assert ids(tail.new()) == ["b0", "b1", "b2"]
    refuse("c0")
    assert ids(tail.new()) == ["c0"]
    assert ids(tail.new()) == []


def test_an_older_refusal_is_not_new(tail_of, record, refuse) -> None:
    refuse("a0")
    record("a1")
    tail = tail_of()

    assert ids(tail.begin(1)) == ["a1"]
    assert ids(tail.new()) == []


@pytest.mark.parametrize("recorded", [0, 1])
def test_only_new_ones(tail_of, record, recorded: int) -> None:
    for number in range(recorded):
        record(f"a{number}")
    tail = tail_of()

    assert ids(tail.begin(0)) == []
    record("b0")
    assert ids(tail.new()) == ["b0"]


def test_only_matches(tail_of, record, refuse) -> None:
    record("a0", status=502)
    record("a1")
    tail = tail_of(status="failed")

    assert ids(tail.begin(9)) == ["a0"]
    record("b0")
    refuse("b1")
    record("b2", status=500)
    assert ids(tail.new()) == ["b1", "b2"]


def test_the_newest_of_too_many(tail_of, record, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_NEW", 3)
    tail = tail_of()
    tail.begin(1)
    for number in range(5):
        record(f"a{number}")

    assert ids(tail.new()) == ["a2", "a3", "a4"]
    assert ids(tail.new()) == []


def test_a_call_does_not_read_what_an_earlier_one_has_read(tail_of, record, monkeypatch) -> None:
    """Also if nothing ever matches."""
    searched = []
    search = LedgerSearch.search
    monkeypatch.setattr(
        LedgerSearch, "search", lambda *given: searched.append(search(*given)) or searched[-1]
    )
    for number in range(3):
        record(f"a{number}")
    monkeypatch.setattr(module, "OVERLAP_SECONDS", 0)
    tail = tail_of(status="failed")

    assert tail.begin(1) == tail.new() == []
    assert [page.scanned for page in searched] == [3, 1]
