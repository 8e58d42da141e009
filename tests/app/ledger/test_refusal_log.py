"""The refusal log: bounded, written in batches, and read back by key, code and hour."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.errors import StoreUnavailable
from app.ledger.refusal_log import MAX_ENTRIES, MAX_GROUPS, RefusalLog
from app.stores import keys
from app.stores.records.refusals import Refusal
from app.stores.refusals import RefusalRepository
from app.stores.scripts import Scripts

POOL = "p"


def refusal(number: int = 0, **more: Any) -> Refusal:
    fields: dict[str, Any] = {"pool": POOL, "key": "key_1", "code": "rate_limit_exceeded"} | more
    return Refusal(
        id=f"req_{number}", at_ms=1, model="m", endpoint="/v1/x", status=429, message="No", **fields
    )


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    for key in ("key_1", "key_2"):
        redis_client.hset(keys.api_key(POOL, key), "name", key)
    return Scripts(redis_client)


@pytest.fixture
def repository(redis_client: Any) -> RefusalRepository:
    return RefusalRepository(Scripts(redis_client))


def write(scripts: Scripts, *refusals: Refusal) -> None:
    log = RefusalLog(RefusalRepository(scripts))
    for one in refusals:
        log.add(one)
    log.flush()


def test_counted_by_key_and_code(scripts: Scripts, repository: RefusalRepository) -> None:
    write(scripts, refusal(1), refusal(2, key="key_2"), refusal(3, code="model_not_allowed"), refusal(4))

    found = repository.counts(POOL, "1h")
    assert found.total == 4
    assert found.by_code("key_1") == [("rate_limit_exceeded", 2), ("model_not_allowed", 1)]
    assert found.by_code() == [("rate_limit_exceeded", 3), ("model_not_allowed", 1)]
    assert [
        entry.entry.key_id for entry in repository.entries(POOL) if entry.entry.request_id == "req_2"
    ] == ["key_2"]


def test_of_one_kind_the_newest_are_retained(scripts: Scripts, repository: RefusalRepository) -> None:
    write(scripts, *(refusal(number) for number in range(50)))

    ids = [entry.entry.request_id for entry in repository.entries(POOL)]
    assert ids == [f"req_{number}" for number in range(49, 49 - MAX_ENTRIES, -1)]
    assert repository.counts(POOL, "1h").total == 50


def test_past_a_number_only_the_newest_of_each_batch(scripts: Scripts, repository: RefusalRepository) -> None:
    """One caller in a loop does not push out what happened to everyone else."""
    write(scripts, *(refusal(number) for number in range(100)))
    write(scripts, *(refusal(number) for number in range(100, 110)))

    assert len(list(repository.entries(POOL))) == MAX_ENTRIES + 1
    assert repository.find(POOL, "req_109") is not None


def test_bounded(scripts: Scripts, repository: RefusalRepository, redis_client: Any) -> None:
    """Neither codes nor keys grow an hour without end, nor the entries."""
    write(scripts, *(refusal(number, code=f"c{number}") for number in range(MAX_GROUPS)))
    write(scripts, *(refusal(number, code=f"d{number}") for number in range(MAX_GROUPS)))
    write(scripts, *(refusal(number, key=f"key_{1 + number % 2}", code="late") for number in range(6)))

    (hour,) = redis_client.keys(keys.refused(POOL, 0)[:-1] + "*")
    assert redis_client.hget(hour, "*|late") == "6"
    assert redis_client.hlen(hour) == 2001
    assert len(list(repository.entries(POOL))) == 500
    assert 0 < redis_client.ttl(hour) <= 31 * 86400
    assert 0 < redis_client.ttl(keys.refusals(POOL)) <= 31 * 86400


def test_a_batch_counts_once(scripts: Scripts, repository: RefusalRepository) -> None:
    """A reply may be lost after the script has run; then it runs again."""
    group = {"key": "key_1", "digest": "", "code": "c", "count": 2, "out": False, "entries": []}
    batch = {"batch": "b1", "groups": [group]}
    assert scripts.run("record_refusals", POOL, orjson.dumps(batch)) == 2
    assert scripts.run("record_refusals", POOL, orjson.dumps(batch)) == 0
    assert repository.counts(POOL, "1h").total == 2


def test_only_keys_that_exist(scripts: Scripts, redis_client: Any) -> None:
    """Callers without a key of the pool cause no write at all."""
    before = set(redis_client.keys("*"))
    write(
        scripts,
        refusal(key="key_gone"),
        refusal(pool="", key="", presented=f"sk-pg-{POOL}-{'x' * 43}"),
        refusal(pool="", key="", presented="something else"),
    )
    assert set(redis_client.keys("*")) == before


def test_odd_texts(scripts: Scripts, repository: RefusalRepository) -> None:
    """What cannot be written as JSON, or is long, is cut and cleaned."""
    write(scripts, refusal(param="\ud800" * 1000))
    (entry,) = repository.entries(POOL)
    assert entry.entry.row["param"] == "?" * 128


def test_trimmed(scripts: Scripts, repository: RefusalRepository) -> None:
    write(scripts, refusal())
    repository.trim(POOL, 1)
    assert len(list(repository.entries(POOL))) == 1
    repository.trim(POOL, 9_999_999_999)
    assert not list(repository.entries(POOL))


def test_store_away() -> None:
    """A refusal is dropped, never retried: what waits would only grow."""

    class Away:
        def record(self, *_: Any) -> None:
            raise StoreUnavailable("away")

    log = RefusalLog(Away())  # type: ignore[arg-type]
    log.add(refusal())
    log.flush()
    log.flush()
