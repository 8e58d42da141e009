"""A pool on a virtual clock, alone on a Redis server, for replays of traffic."""

from __future__ import annotations

from typing import Any

from app.stores import keys

CLOCK = "local function clock() return tonumber(redis.call('GET', KEYS[1] .. 'virtual-clock')) end"


class VirtualPool:
    def __init__(self, client: Any, pool: str) -> None:
        self._client = client
        self._pool = pool

    def set_up(self, policy: str, key_id: str, now_ms: int) -> None:
        """Empty the server and store the pool with one API key without limits."""
        self._client.flushall()
        self.set_clock(now_ms)
        self._client.hset(keys.pool(self._pool), "policy", policy)
        record = {"id": key_id, "state": "active", "limits": "[]"}
        self._client.hset(keys.api_key(self._pool, key_id), mapping=record)

    def set_clock(self, now_ms: int) -> None:
        """Set the time that scripts with CLOCK read, in Unix milliseconds."""
        self._client.set(keys.root(self._pool) + "virtual-clock", now_ms)
