"""A pool for replays: the scripts of the gateway on a clock that the replay sets."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.kinds import SCRIPT_KINDS
from app.stores import keys
from app.stores.virtual_pool import VirtualPool
from tests.support.store import START_MS, StoreOfTest

POOL = "t"


@pytest.fixture
def pool(redis_client: Any) -> VirtualPool:
    pool = VirtualPool(redis_client, POOL, SCRIPT_KINDS)
    pool.set_up("balanced", "k", START_MS)
    return pool


def put(pool: VirtualPool, account_id: str, cap: int) -> None:
    record = {"id": account_id, "name": account_id, "kind": "openai", "offer": "cr:openai:any"}
    pool.put_account(record | {"weight": 1, "cap": cap, "group": 0, "models": "[]"}, ())


def test_set_up_empties_the_server(redis_client: Any, pool: VirtualPool) -> None:
    redis_client.set("of-an-earlier-replay", "1")

    pool.set_up("ordered", "k", START_MS)

    assert not redis_client.exists("of-an-earlier-replay")
    assert redis_client.hget(keys.pool(POOL), "policy") == "ordered"


def test_requests(redis_client: Any, pool: VirtualPool) -> None:
    """A slot is taken by an admission and given back by the settlement; '' where none is free."""
    put(pool, "a", cap=1)
    plain = StoreOfTest(redis_client)

    admitted = [pool.admit(plain.admission(each)) for each in ("r1", "r2")]
    pool.settle({"id": "r1", "mark": {}, "calendar": plain.calendar(), "row": plain.row("r1")})

    assert admitted == ["a", ""]
    assert pool.admit(plain.admission("r3")) == "a"


def test_the_clock(redis_client: Any, pool: VirtualPool) -> None:
    """What an account waits for passes with the virtual time alone."""
    put(pool, "a", cap=1)
    rest = {"state": "burst_limited", "reason": "429", "wait_ms": 60_000, "retest_wait_ms": 60_000}
    pool.observe({"account": "a", "fields": {}, "mark": rest, "room": False, "accepted": False})
    plain = StoreOfTest(redis_client)
    assert pool.admit(plain.admission("r1")) == ""

    pool.set_clock(START_MS + 60_001)

    assert pool.admit(plain.admission("r2")) == "a"
