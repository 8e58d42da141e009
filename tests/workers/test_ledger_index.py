"""The index of each pool's ledger follows it."""

from __future__ import annotations

import time

import pytest

from app.ledger import index
from app.stores import keys
from app.wiring import Services
from tests.support.ledger_rows import record_request
from tests.workers.conftest import POOL
from workers import ledger_index


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BLOCK_ENTRIES", 4)


def test_new_entries_are_indexed_and_removed_ones_are_not(built: Services) -> None:
    for _ in range(9):
        record_request(built.scripts, POOL, time.time())

    ledger_index.run(built, time.time())
    ledger_index.run(built, time.time())
    assert [block.count for block in built.ledger.index.blocks(POOL)] == [4, 4]

    built.scripts.client.xtrim(keys.ledger(POOL), maxlen=3, approximate=False)
    ledger_index.run(built, time.time())
    assert len(built.ledger.index.blocks(POOL)) == 1
