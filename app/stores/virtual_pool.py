"""A pool with a virtual clock, alone on its own Redis server, for replays of traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.stores import keys
from app.stores.accounts import AccountHashes
from app.stores.scripts import KindNames, Scripts

CLOCK = "local function clock() return tonumber(redis.call('GET', KEYS[1] .. 'virtual-clock')) end"


class VirtualPool:
    def __init__(self, client: Any, pool: str, kinds: KindNames) -> None:
        self._client = client
        self._scripts = Scripts(client, clock=CLOCK, kinds=kinds)
        self._accounts = AccountHashes(self._scripts)
        self._pool = pool

    def set_up(self, policy: str, key_id: str, now_ms: int) -> None:
        """Empty the server; store the pool and one API key that has no limits."""
        self._client.flushall()
        self.set_clock(now_ms)
        self._client.hset(keys.pool(self._pool), "policy", policy)
        record = {"id": key_id, "state": "active", "limits": "[]"}
        self._client.hset(keys.api_key(self._pool, key_id), mapping=record)

    def set_clock(self, now_ms: int) -> None:
        """Set the time that scripts with CLOCK read, in Unix milliseconds."""
        self._client.set(keys.root(self._pool) + "virtual-clock", now_ms)

    def put_account(self, record: Mapping[str, Any], models: Sequence[str]) -> None:
        """Store *record*, the settings of an account."""
        self._accounts.put(self._pool, record, models)

    def admit(self, arguments: dict[str, Any]) -> str:
        """Admit a request (*arguments*: see admit.lua); return the id of its account, '' if it is refused."""
        account_id: str = self._scripts.run_json("admit", self._pool, arguments).get("account", "")
        return account_id

    def settle(self, arguments: dict[str, Any]) -> None:
        """Settle a request, as settle.lua documents *arguments*."""
        self._scripts.run_raw("settle", self._pool, arguments)

    def observe(self, observation: Mapping[str, Any]) -> None:
        """Store *observation* of an account, as observe_account.lua documents it."""
        self._accounts.observe(self._pool, observation)
