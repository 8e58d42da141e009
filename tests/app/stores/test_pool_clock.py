from __future__ import annotations

import time
from typing import Any

from app.stores import keys
from app.stores.pool_clock import PoolClock
from app.stores.scripts import Scripts


def test_time(redis_client: Any) -> None:
    assert abs(PoolClock(Scripts(redis_client)).now() - time.time()) < 60


def test_zone(redis_client: Any) -> None:
    """UTC until a pool sets its own."""
    clock = PoolClock(Scripts(redis_client))
    assert clock.zone_name("p") == "UTC"

    redis_client.hset(keys.pool("p"), "zone", "Asia/Tokyo")

    assert clock.zone("p").key == "Asia/Tokyo"
