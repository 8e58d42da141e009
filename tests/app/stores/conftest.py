from __future__ import annotations

from typing import Any

import pytest

from tests.support.store import StoreOfTest


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    """An empty pool on a separate clock; the key `k` has no limits yet."""
    store = StoreOfTest(redis_client)
    store.key("k")
    return store
