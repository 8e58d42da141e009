from __future__ import annotations

from typing import Any

import pytest

from app.limits.pool_prices import PoolPrices
from app.limits.prices import PriceTable
from app.stores import keys
from app.stores.prices import PriceRepository
from app.stores.scripts import Scripts
from app.streaming.usage import Usage

LLAMA = {"standard": {"input": 1_000_000, "output": 2_000_000}, "context": 8192}
USED = Usage(3, 4, 7)


@pytest.fixture
def prices(redis_client: Any) -> PoolPrices:
    return PoolPrices(PriceRepository(Scripts(redis_client)))


def cost(table: PriceTable, model: str) -> int | None:
    price = table.find(model)
    return None if price is None else price.cost(USED, None)


def version(client: Any) -> str:
    return client.hget(keys.pool("p"), "prices") or "0"


class TestPriceTable:
    def test_own_price(self, prices: PoolPrices, redis_client: Any) -> None:
        """A row applies only to the pool that set it, and names the version of the change."""
        prices.put("p", "llama", LLAMA)
        table = prices.table("p", version(redis_client))

        assert cost(table, "llama") == 11
        assert table.rows()["llama"]["version"] == "pool-1"
        assert cost(prices.table("other", "0"), "llama") is None

    def test_read_once_per_change(self, prices: PoolPrices, redis_client: Any) -> None:
        """A version that is known costs no round trip; a newer one costs one."""
        prices.put("p", "llama", LLAMA)
        first = prices.table("p", "1")
        prices.put("p", "llama", {**LLAMA, "standard": {"input": 0, "output": 0}})

        assert prices.table("p", "1") is first
        assert cost(prices.table("p", "2"), "llama") == 0

    def test_remove(self, prices: PoolPrices, redis_client: Any) -> None:
        prices.put("p", "gpt-4o", LLAMA)

        assert prices.remove("p", "gpt-4o")
        assert not prices.remove("p", "gpt-4o")
        assert cost(prices.current("p"), "gpt-4o") == 48
        assert cost(prices.table("p", version(redis_client)), "gpt-4o") == 48
