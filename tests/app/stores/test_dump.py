from __future__ import annotations

from typing import Any

import pytest

from app.stores import dump, keys
from app.stores.dump import PoolDump, Record
from app.stores.scripts import Scripts
from tests.support.store import POOL, StoreOfTest, limit

ROOT = keys.root(POOL)


@pytest.mark.parametrize(
    ("name", "families", "found"),
    [
        ("pool", ("pool",), True),
        ("pools", ("pool",), False),
        ("roll:h:0", ("roll:",), True),
        ("rolls:h", ("roll:",), False),
        ("anything", (), False),
    ],
)
def test_families(name: str, families: tuple[str, ...], found: bool) -> None:
    assert dump.is_one_of(name, families) is found


def test_names_are_those_of_one_pool(redis_client: Any) -> None:
    own = ("pool", "own:a", "done:b", "conv:c")
    for key in (*(ROOT + name for name in own), keys.root("other") + "pool", keys.POOLS):
        redis_client.set(key, "1")

    assert set(PoolDump(Scripts(redis_client), POOL).names()) == set(own)
    assert set(PoolDump(Scripts(redis_client), POOL).names(excluded=dump.MARKERS)) == {"pool"}


def test_every_kind_of_key(redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the form in which it is written again; a stream comes in parts."""
    monkeypatch.setattr(dump, "PAGE", 2)
    redis_client.set(ROOT + "text", "t", px=60_000)
    redis_client.hset(ROOT + "hash", "f", "v")
    redis_client.sadd(ROOT + "set", "b", "a")
    redis_client.rpush(ROOT + "list", "b", "a")
    redis_client.zadd(ROOT + "zset", {"a": 1.5, "b": float("inf")})
    for number in range(1, 4):
        redis_client.xadd(ROOT + "stream", {"f": number}, id=f"{number}-0")
    names = ["text", "hash", "set", "list", "zset", "stream", "gone"]

    text, *others = PoolDump(Scripts(redis_client), POOL).records(names)

    now_ms = redis_client.time()[0] * 1000
    assert text[:3] == ("text", "string", "t")
    assert 0 < text.expires_ms - now_ms <= 61_000
    assert others == [
        Record("hash", "hash", {"f": "v"}),
        Record("set", "set", ["a", "b"]),
        Record("list", "list", ["b", "a"]),
        Record("zset", "zset", {"a": "1.5", "b": "inf"}),
        Record("stream", "stream", [["1-0", {"f": "1"}], ["2-0", {"f": "2"}]]),
        Record("stream", "stream", [["3-0", {"f": "3"}]]),
    ]


class TestSnapshot:
    def test_what_belongs_together(self, redis_client: Any) -> None:
        """Also the counters of every limit, open requests, and secrets that records name."""
        store = StoreOfTest(redis_client)
        store.account("a")
        store.key("k", limit("mine", "total_tokens", "ever", 1000), digest="new", former="old")
        store.pool_limits(limit("ours", "requests", "day", 1000))
        for digest in ("new", "old", "unnamed"):
            redis_client.set(keys.secret(POOL, digest), "k")
        store.admit("open")
        store.settle(store.admit("ended")["id"], input_tokens=5)

        taken = PoolDump(Scripts(redis_client), POOL).snapshot(["s:unnamed", "r:gone"])

        assert {record.name for record in taken.records} == {
            *("pool", "accounts", "a:a", "keys", "k:k", "lim:mine", "lim:ours", "leases", "r:open"),
            *("s:new", "s:old", "s:unnamed"),
        }
        assert taken.last_id == redis_client.xrevrange(keys.ledger(POOL), count=1)[0][0]
        assert taken.added == "1"

    def test_nothing_there(self, redis_client: Any) -> None:
        taken = PoolDump(Scripts(redis_client), POOL).snapshot([])

        assert (taken.last_id, taken.records) == ("", [])
