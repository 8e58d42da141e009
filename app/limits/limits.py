"""
The limits of keys and pools, as an administrator changes them: at once, in every worker.

A limit added to an old key starts from what its window has seen; an edited one goes on from
where it stands; a removed one is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson

from app.errors import InvalidRequest, NotFound, StoreUnavailable
from app.limits.calendar import Calendar
from app.limits.limit import describe
from app.stores import keys, rollups
from app.stores.client import store_errors
from app.stores.scripts import Scripts

Limit = dict[str, Any]
FOR_POOL = ""  # in place of a key's id
MAX_TRIES = 20  # against others who change the same list
SAME = ("what", "per", "model")


class LimitRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._calendar = Calendar()

    def all(self, pool: str, key_id: str = FOR_POOL) -> list[Limit]:
        """Return the limits of a key, or of the pool itself."""
        limits: list[Limit] = orjson.loads(self._stored(pool, key_id))
        return limits

    def add(self, pool: str, limit: Limit, key_id: str = FOR_POOL) -> Limit:
        """Add *limit*, counting what its window has seen so far, and return it as stored."""
        limit = {**limit, "scope": "key" if key_id else "pool"}
        self._change(pool, key_id, lambda limits: [*limits, limit], added=limit)
        return limit

    def edit(self, pool: str, limit_id: str, wanted: Limit, key_id: str = FOR_POOL) -> Limit:
        """
        Give a limit the maximum and the mode of *wanted*; its counter goes on.

        Raises NotFound, and InvalidRequest where *wanted* counts something else.
        """
        known = self._find(self.all(pool, key_id), limit_id)
        if any(known.get(name) != wanted.get(name) for name in SAME):
            raise InvalidRequest(
                f"'{describe(known)}' can be given another number, not another kind: remove it and add one",
                param="limit",
            )
        edited = {**known, "max": wanted["max"], "mode": wanted["mode"]}
        self._change(
            pool,
            key_id,
            lambda limits: [edited if limit is self._find(limits, limit_id) else limit for limit in limits],
        )
        return edited

    def remove(self, pool: str, limit_id: str, key_id: str = FOR_POOL) -> None:
        """Remove a limit and its counter. Raises NotFound."""

        def without(limits: list[Limit]) -> list[Limit]:
            gone = self._find(limits, limit_id)
            return [limit for limit in limits if limit is not gone]

        self._change(pool, key_id, without, removed=limit_id)

    @staticmethod
    def _find(limits: list[Limit], limit_id: str) -> Limit:
        for limit in limits:
            if limit["id"] == limit_id:
                return limit
        raise NotFound(f"There is no limit '{limit_id[:40]}' here", param="limit")

    def _stored(self, pool: str, key_id: str) -> str:
        owner = keys.api_key(pool, key_id) if key_id else keys.pool(pool)
        with store_errors():
            return self._scripts.client.hget(owner, "limits") or "[]"

    def _change(
        self, pool: str, key_id: str, change: Callable[[list[Limit]], list[Limit]], **more: Limit | str
    ) -> None:
        """Write the changed list where nobody else has changed it meanwhile."""
        with store_errors():
            zone = self._scripts.client.hget(keys.pool(pool), "zone") or "UTC"
        days = [1000 * start for start in rollups.starts(self._scripts.client, pool, rollups.DAY)]
        now = time.time()
        for _ in range(MAX_TRIES):
            was = self._stored(pool, key_id)
            ask = {
                "key": key_id,
                "was": was,
                "list": orjson.dumps(change(orjson.loads(was))).decode(),
                "days": days,
                "calendar": self._calendar.windows(zone, now),
                **more,
            }
            reply = self._scripts.run_json("set_limits", pool, ask)
            if "done" in reply:
                return
            now = reply["now"] / 1000
        raise StoreUnavailable(
            "The limits are being changed from elsewhere; try again", retry_after_seconds=1
        )
