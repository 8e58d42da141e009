"""Leases whose worker died end without a request that would look at them."""

from __future__ import annotations

import time

from app.accounts.account import Account
from app.accounts.kinds import KINDS
from app.stores import keys
from app.wiring import Services
from tests.workers.conftest import POOL
from workers import leases


def test_leases_that_are_not_renewed_are_released(built: Services) -> None:
    built.pools.ensure(POOL)
    account = Account("", "a", "openai", "http://127.0.0.1:9/v1", protocols=KINDS["openai"].protocols)
    built.accounts.add(POOL, account)
    key, _ = built.api_keys.create(POOL, "k")
    day = int(time.time() // 86400) * 86_400_000
    admission = {
        **{"id": "req_1", "key": key.id, "model": "m", "endpoint": "/", "wire": "", "demo": False},
        **{"affinity": "", "pin": "", "sticky_ms": 1, "bounds": {}, "estimates": {}},
        "ttl_ms": 30_000,
        "calendar": {"day": [day, day + 86_400_000, day + 172_800_000]},
    }
    assert built.scripts.run_json("admit", POOL, admission)["attempt"] == 1

    built.scripts.client.zadd(keys.leases(POOL), {"req_1": 1})  # it is long over

    leases.run(built, time.time())

    (found,) = built.accounts.all(POOL)
    assert found.in_flight == 0
    assert built.scripts.client.zcard(keys.leases(POOL)) == 0
    assert built.scripts.client.xlen(keys.ledger(POOL)) == 1
