"""The store's clock, and the time zone of each pool."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from app.stores import keys
from app.stores.scripts import Scripts

UTC = "UTC"


class PoolClock:
    def __init__(self, scripts: Scripts) -> None:
        self._client = scripts.client

    def now(self) -> float:
        """Return the time on the store's clock, Unix seconds."""
        seconds, microseconds = self._client.time()
        return float(seconds + microseconds / 1e6)

    def zone_name(self, pool: str) -> str:
        return self._client.hget(keys.pool(pool), "zone") or UTC

    def zone(self, pool: str) -> ZoneInfo:
        return ZoneInfo(self.zone_name(pool))
