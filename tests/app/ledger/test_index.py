"""The index of the ledger: complete, exact, and gone with its entries."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from app.ledger.index import IndexLookup, LedgerIndex
from app.ledger.query import LedgerQuery
from app.ledger.search import LedgerSearch
from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.ledger_index import LedgerIndexRepository
from app.stores.records.ledger import LedgerEntry
from app.stores.refusals import RefusalRepository
from app.stores.scripts import Scripts

POOL = "p"
BLOCK = 16
Write = Callable[..., list[LedgerEntry]]


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


@pytest.fixture
def index(scripts: Scripts) -> LedgerIndex:
    return LedgerIndex(LedgerRepository(scripts), LedgerIndexRepository(scripts))


@pytest.fixture
def search(scripts: Scripts, index: LedgerIndex) -> LedgerSearch:
    return LedgerSearch(LedgerRepository(scripts), RefusalRepository(scripts), index)


@pytest.fixture
def write(redis_client: Any) -> Write:
    """Write rows, three of which end in the same millisecond; return the entries, the newest first."""

    def do(number: int, first_ms: int = 1_000_000, **fields: Any) -> list[LedgerEntry]:
        entries = []
        for n in range(number):
            row = _row(n) | fields
            entry_id = f"{first_ms + n // 3}-{n % 3}"
            redis_client.xadd(
                keys.ledger(POOL), {"row": orjson.dumps(row).decode(), "why": "[]"}, id=entry_id
            )
            entries.append(LedgerEntry(entry_id, row))
        return entries[::-1]

    return do


def _row(number: int) -> dict[str, Any]:
    chance = random.Random(number)
    accounts = [f"acct_{chance.randrange(3)}" for _ in range(chance.randrange(1, 3))]
    row: dict[str, Any] = {
        "id": f"req_{number}",
        "at_ms": number,
        "key": f"key_{min(chance.randrange(9), 4)}",
        "account": accounts[-1],
        "model": chance.choice(("gpt-5", 'vendor/ä "x"')),
        "endpoint": chance.choice(("/v1/responses", "/v1/embeddings")),
        "status": chance.choice((200, 200, 200, 429, 499, 503)),
        "attempts": [{"account": account} for account in accounts],
        "total_ms": chance.randrange(5000),
        "cost": chance.randrange(-5, 100),
        "source": chance.choice(("upstream", "cache")),
    }
    optional = {"team": "red", "owner": "ann", "asked": "alias", "error": "rate_limit_exceeded"}
    row |= {name: value for name, value in optional.items() if chance.random() < 0.3}
    if chance.random() < 0.4:
        row["labels"] = {"env": chance.choice(("prod", "test"))}
    return row


def _query(chance: random.Random) -> LedgerQuery:
    filters: dict[str, list[Any]] = {
        "key": ["key_0", "key_4", "key_none"],
        "account": ["acct_1"],
        "tried": ["acct_1", "acct_2"],
        "model": ["gpt-5", 'vendor/ä "x"'],
        "requested": ["alias", "gpt-5"],
        "team": ["red"],
        "owner": ["ann"],
        "labels": [{"env": ""}, {"env": "prod"}, {"env": "prod", "none": ""}],
        "endpoint": ["/v1/embeddings"],
        "status": ["ok", "failed", "5xx", "429", "429, 5xx", "ok,failed"],
        "error": ["rate_limit_exceeded"],
        "retried": [True, False],
        "cached": [True, False],
        "min_ms": [1, 2500, 4990, 10**9],
        "min_cost": [1, 50],
        "since": [1000.0, 1000.020],
        "until": [1000.030, 1000.0],
    }
    names = chance.sample(sorted(filters), chance.randrange(1, 5))
    return LedgerQuery(**{name: chance.choice(filters[name]) for name in names})


def _find(search: LedgerSearch, query: LedgerQuery, page_size: int) -> list[str]:
    ids, cursor = [], None
    while True:
        page = search.search(POOL, query, cursor, page_size)
        assert len(page.entries) <= page_size
        ids += [entry.id for entry in page.entries]
        if (cursor := page.cursor) is None:
            return ids


@pytest.mark.parametrize("seed", range(4))
def test_finds_what_a_scan_finds(
    index: LedgerIndex, search: LedgerSearch, write: Write, scripts: Scripts, seed: int
) -> None:
    """Random queries on random rows, some of them removed, some not indexed yet."""
    chance = random.Random(seed)
    entries = write(150)
    index.extend(POOL, BLOCK)
    removed = chance.randrange(40)
    scripts.client.xdel(keys.ledger(POOL), *(entry.id for entry in entries[-removed:] if removed))
    remaining = entries[: len(entries) - removed]

    for _ in range(150):
        query = _query(chance)
        scan = [entry.id for entry in remaining if query.matches(entry) and query.is_in_time(entry)]
        assert _find(search, query, chance.choice((1, 3, 20))) == scan, query


def test_a_rare_entry_is_found_at_once(index: LedgerIndex, search: LedgerSearch, write: Write) -> None:
    """Without reading the entries between, which the index excludes."""
    rare = write(1, key="key_rare")
    write(40 * BLOCK, first_ms=2_000_000)
    index.extend(POOL, BLOCK)

    page = search.search(POOL, LedgerQuery(key="key_rare"))
    assert ([entry.id for entry in page.entries], page.cursor) == ([rare[0].id], None)
    assert page.scanned <= BLOCK
    assert search.search(POOL, LedgerQuery(model="none")).scanned < BLOCK


def test_only_complete_blocks(index: LedgerIndex, write: Write) -> None:
    """Each entry is in one block; the next run continues after the last."""
    write(2 * BLOCK + 5)
    assert index.extend(POOL, BLOCK) == 2
    assert index.extend(POOL, BLOCK) == 0
    write(BLOCK, first_ms=2_000_000)
    assert index.extend(POOL, BLOCK) == 1

    blocks = index.blocks(POOL)
    assert [block.count for block in blocks] == [BLOCK] * 3
    assert blocks == sorted(blocks, key=lambda block: block.first)


def test_two_workers(index: LedgerIndex, write: Write, scripts: Scripts) -> None:
    """A block that both have written is in the index once; the hash of the other expires."""
    write(BLOCK)
    repository = LedgerIndexRepository(scripts)
    first, second = (repository.write(POOL, "1000000-0", "1000005-0", BLOCK, {b"n": b"16"}) for _ in "12")

    assert repository.add(POOL, first, after="", restored_by="")
    assert not repository.add(POOL, second, after="", restored_by="")
    assert index.blocks(POOL) == [first]
    assert scripts.client.ttl(keys.index_block(POOL, first.name)) == -1
    assert scripts.client.ttl(keys.index_block(POOL, second.name)) > 0


def test_a_block_of_a_ledger_that_was_replaced(scripts: Scripts, index: LedgerIndex) -> None:
    repository = LedgerIndexRepository(scripts)
    block = repository.write(POOL, "1-0", "2-0", 2, {b"n": b"2"})
    scripts.client.hset(keys.pool(POOL), "restored_by", "run")

    assert not repository.add(POOL, block, after="", restored_by="")
    assert index.blocks(POOL) == []


def test_a_hash_that_has_expired(scripts: Scripts, index: LedgerIndex) -> None:
    repository = LedgerIndexRepository(scripts)
    block = repository.write(POOL, "1-0", "2-0", 2, {b"n": b"2"})
    scripts.client.delete(keys.index_block(POOL, block.name))

    assert not repository.add(POOL, block, after="", restored_by="")


def test_many_values(scripts: Scripts, index: LedgerIndex, search: LedgerSearch, write: Write) -> None:
    """More than one command writes."""
    entries = write(0)
    for number in range(700):
        entries += write(1, first_ms=1_000_000 + number, key=f"key_{number}")
    index.extend(POOL, 700)

    assert _find(search, LedgerQuery(key="key_699"), 5) == [entries[-1].id]


def test_retention(index: LedgerIndex, search: LedgerSearch, write: Write, scripts: Scripts) -> None:
    """A block goes when its last entry has gone; a partly removed one stays."""
    entries = write(3 * BLOCK)
    index.extend(POOL, BLOCK)
    scripts.client.xtrim(keys.ledger(POOL), maxlen=BLOCK + 3, approximate=False)

    assert index.trim(POOL) == 1
    assert len(index.blocks(POOL)) == 2
    assert _find(search, LedgerQuery(min_cost=1), 50) == [
        entry.id for entry in entries[: BLOCK + 3] if entry.row["cost"] >= 1
    ]
    scripts.client.xtrim(keys.ledger(POOL), maxlen=0)
    assert index.trim(POOL) == 2
    assert list(scripts.client.scan_iter("*index*")) == []


def test_a_missing_block(index: LedgerIndex, search: LedgerSearch, write: Write, scripts: Scripts) -> None:
    """It is scanned until the index is written again."""
    entries = write(4 * BLOCK)
    index.extend(POOL, BLOCK)
    scripts.client.delete(keys.index_block(POOL, index.blocks(POOL)[1].name))
    matches = [entry.id for entry in entries if entry.row["status"] == 503]

    assert _find(search, LedgerQuery(status="503"), 3) == matches
    assert index.trim(POOL) == 4
    assert index.extend(POOL, BLOCK) == 4
    assert _find(search, LedgerQuery(status="503"), 3) == matches


def test_lookup_of_no_filter() -> None:
    """Times alone need no index: entries are in their order."""
    assert not IndexLookup.of_query(LedgerQuery(since=1.0, refused=True))
    assert IndexLookup.of_query(LedgerQuery(min_cost=1))
    assert IndexLookup.of_requests(["req_1"])
