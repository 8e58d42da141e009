from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.dump import Record
from app.stores.ledger_index import LedgerIndexRepository
from app.stores.restore_staging import Staging, count_contents, restored_backup
from app.stores.scripts import Scripts
from tests.support.store import POOL, StoreOfTest

POLICY = Record("pool", "hash", {"policy": "ordered"})


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


def begun(scripts: Scripts, *records: Record) -> Staging:
    staging = Staging(scripts, POOL)
    staging.begin()
    staging.stage(records)
    return staging


def test_nothing_is_there_before_it_is_put_in_place(scripts: Scripts, redis_client: Any) -> None:
    staging = begun(scripts, POLICY)
    before = redis_client.exists(keys.pool(POOL))

    outcome = staging.finish("b", replace=False)

    assert (before, outcome) == (0, "done")
    assert redis_client.hget(keys.pool(POOL), "policy") == "ordered"
    assert restored_backup(Scripts(redis_client), POOL) == "b"
    assert set(redis_client.scan_iter()) == {keys.pool(POOL), keys.POOLS}


def test_repeated_because_the_reply_was_lost(scripts: Scripts) -> None:
    staging = begun(scripts, POLICY)

    assert [staging.finish("b", replace=False) for _ in range(2)] == ["done", "done"]


def test_every_kind_of_key(scripts: Scripts, redis_client: Any) -> None:
    far = 4_000_000_000_000
    begun(
        scripts,
        Record("text", "string", "t", far),
        Record("set", "set", ["a", "b"]),
        Record("list", "list", ["a", "b"]),
        Record("zset", "zset", {"a": "1.5", "b": "+inf"}),
        Record("stream", "stream", [["1-0", {"f": "v"}], ["2-0", {"f": "w"}]]),
        Record("stream", "stream", [["3-0", {"f": "x"}]]),
    ).finish("b", replace=False)

    root = keys.root(POOL)
    assert redis_client.get(root + "text") == "t"
    assert redis_client.pexpiretime(root + "text") == far
    assert redis_client.smembers(root + "set") == {"a", "b"}
    assert redis_client.lrange(root + "list", 0, -1) == ["a", "b"]
    assert redis_client.zrange(root + "zset", 0, -1, withscores=True) == [("a", 1.5), ("b", float("inf"))]
    assert [entry_id for entry_id, _ in redis_client.xrange(root + "stream")] == ["1-0", "2-0", "3-0"]


def test_two_at_once(scripts: Scripts, redis_client: Any) -> None:
    """The later restore discards what the first had staged; the first then fails and changes nothing."""
    first = begun(scripts, POLICY)
    second = begun(scripts, Record("pool", "hash", {"policy": "round_robin"}))

    assert (first.finish("a", replace=True), second.finish("b", replace=True)) == ("taken", "done")
    assert redis_client.hget(keys.pool(POOL), "policy") == "round_robin"


def test_a_pool_that_was_filled_meanwhile(scripts: Scripts, redis_client: Any) -> None:
    staging = begun(scripts, POLICY)
    StoreOfTest(redis_client).key("k")

    assert staging.finish("b", replace=False) == "occupied"
    assert count_contents(Scripts(redis_client), POOL) == {"keys": 1}
    assert not [key for key in redis_client.scan_iter() if "restore:" in key]


def test_what_comes_while_it_is_staged_goes_with_the_rest(scripts: Scripts, redis_client: Any) -> None:
    """Rows, their index, totals, open requests, accounts and keys, added after the names were read."""
    store = StoreOfTest(redis_client)
    redis_client.delete(keys.root(POOL) + "test-clock")
    store.scripts = scripts
    staging = begun(scripts, POLICY)
    store.key("k")
    redis_client.hset(keys.api_key(POOL, "k"), "digest", "abc")
    redis_client.set(keys.secret(POOL, "abc"), "k")
    store.account("a")
    for request_id in ("ended", "open"):
        store.admit(request_id)
    store.settle("ended", input_tokens=5)
    hour = store.now // 3_600_000 * 3600
    redis_client.hset(keys.summary(POOL, "h", hour), "all", "[]")
    index = LedgerIndexRepository(scripts)
    block = index.write(POOL, "1-0", "1-0", 1, {b"n": b"1"})
    assert index.add(POOL, block, after="", restored_by="")

    assert staging.finish("b", replace=True) == "done"

    left = store.names("*")
    assert {name for name in left if not name.startswith("done:")} == {"pool"}


def test_a_request_that_the_copy_has_open_may_settle_again(scripts: Scripts, redis_client: Any) -> None:
    redis_client.set(keys.settled(POOL, "q"), "1-0")
    record = {"key": "k", "account": "", "bounds": "{}", "holds": "[]", "why": "", "expired": "1"}

    begun(scripts, Record("r:q", "hash", record)).finish("b", replace=True)

    assert not redis_client.exists(keys.settled(POOL, "q"))
