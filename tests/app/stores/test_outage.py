"""Redis is away when a request ends: its settlement arrives later, and counts once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.ledger.dead_letters import DeadLetters
from app.ledger.settlements import SettlementWriter
from app.ledger.spool import Spool
from app.stores.client import make_client
from app.stores.settlements import SettlementRepository
from tests.support.redis import short_folder
from tests.support.redis_server import RedisServer
from tests.support.store import TTL_MS, StoreOfTest, limit


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with short_folder() as folder:
        server = RedisServer(folder)
        yield server
        server.stop()


@pytest.fixture
def store(server: RedisServer) -> StoreOfTest:
    store = StoreOfTest(make_client(server.url, 0.5))
    store.account("a")
    store.key("k", limit("l", "output_tokens", "day", 1000))
    return store


@pytest.fixture
def settlements(store: StoreOfTest, tmp_path: Path) -> SettlementWriter:
    return SettlementWriter(SettlementRepository(store.scripts), Spool(tmp_path), DeadLetters(tmp_path))


def settlement(store: StoreOfTest, request_id: str) -> dict[str, Any]:
    row = store.row(request_id, output_tokens=7)
    return {"id": request_id, "mark": {}, "row": row, "calendar": store.calendar()}


def test_restarted(store: StoreOfTest, server: RedisServer, settlements: SettlementWriter) -> None:
    """Holds from before the restart remain, and are settled when the settlements arrive."""
    held = [store.admit(output_tokens=50)["id"] for _ in range(3)]
    server.stop()
    for request_id in held:
        settlements.settle(store.pool, settlement(store, request_id))
    assert len(settlements) == 3

    server.start()
    assert store.counters("l")["h"] == 150
    assert settlements.flush() == 0
    assert sorted(row["id"] for row in store.rows()) == held
    assert store.counters("l") | {"s": 21, "h": 0} == store.counters("l")


def test_lease_expires_meanwhile(
    store: StoreOfTest, server: RedisServer, settlements: SettlementWriter
) -> None:
    """The bound that was charged is corrected."""
    held = store.admit(output_tokens=50)["id"]
    server.stop()
    settlements.settle(store.pool, settlement(store, held))
    server.start()
    store.advance(TTL_MS)
    store.renew()
    assert store.counters("l")["s"] == 50

    settlements.flush()
    assert store.counters("l")["s"] == 7
    assert [row["source"] for row in store.rows()] == ["estimated", "corrected"]


def test_only_the_reply_was_lost(
    store: StoreOfTest, server: RedisServer, settlements: SettlementWriter
) -> None:
    """A command that Redis executed before it stopped answering has no second effect."""
    held = store.admit(output_tokens=50)["id"]
    store.scripts.run_raw("settle", store.pool, settlement(store, held))
    server.stop()
    settlements.settle(store.pool, settlement(store, held))
    server.start()

    assert settlements.flush() == 0
    assert (len(store.rows()), store.counters("l")["s"]) == (1, 7)
