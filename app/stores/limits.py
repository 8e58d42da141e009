"""
The limits of API keys, teams and pools in Redis. A change takes effect immediately, in every process.

A new limit starts with the usage of its window so far. The counter of a changed limit stays; that of a
removed one is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from app.errors import InvalidRequest, NotFound, StoreUnavailable
from app.stores import keys
from app.stores.calendar import Calendar
from app.stores.records.limits import Limit, LimitScope, checked_limits, limits_from_json, limits_to_json
from app.stores.rollups import DAY, RollupRepository
from app.stores.scripts import Scripts
from app.stores.teams import team_not_found
from app.suggestions import suggestion

FOR_POOL = ""  # used in place of an API key's id: the pool's own limits
MAX_TRIES = 20  # tries while other processes change the same list
_TEAM = "team:"  # prefix that no API key's id has


def for_team(name: str) -> str:
    """Return the owner id of the limits of the team *name*, to use in place of an API key's id."""
    return _TEAM + name


def _team_of(owner: str) -> str:
    return owner.removeprefix(_TEAM) if owner.startswith(_TEAM) else ""


def _scope_of(owner: str) -> LimitScope:
    if _team_of(owner):
        return LimitScope.TEAM
    return LimitScope.KEY if owner else LimitScope.POOL


class LimitRepository:
    """The limits of API keys, teams and pools in Redis."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._calendar = Calendar()

    def all(self, pool: str, owner: str = FOR_POOL) -> list[Limit]:
        """Return the limits of a key, by its id, of a team (`for_team`), or of the pool itself."""
        return _parse(self._stored(pool, owner))

    def add(self, pool: str, limit: Limit, owner: str = FOR_POOL) -> Limit:
        """Add *limit*, which starts with the usage of its window so far; return it as stored."""
        limit = replace(limit, scope=_scope_of(owner))
        self._change(pool, owner, lambda limits: checked_limits([*limits, limit]), {"added": limit.to_json()})
        return limit

    def edit(self, pool: str, limit_id: str, changed: Limit, owner: str = FOR_POOL) -> Limit:
        """
        Give a limit the maximum and the mode of *changed*; its counter stays.

        Raises NotFound, and InvalidRequest where *changed* counts something else.
        """
        before = _find(self.all(pool, owner), limit_id)
        if any(getattr(before, name) != getattr(changed, name) for name in ("unit", "period", "model")):
            raise InvalidRequest(
                f"The limit '{before.label}' can get another maximum, but not another unit, period or model: "
                "remove it and add one",
                param="limit",
            )
        edited = replace(before, max=changed.max, mode=changed.mode)

        def replaced(limits: list[Limit]) -> list[Limit]:
            current = _find(limits, limit_id)
            return [edited if limit is current else limit for limit in limits]

        self._change(pool, owner, replaced, {})
        return edited

    def remove(self, pool: str, limit_id: str, owner: str = FOR_POOL) -> None:
        """Remove a limit and its counter. Raises NotFound."""

        def without(limits: list[Limit]) -> list[Limit]:
            removed = _find(limits, limit_id)
            return [limit for limit in limits if limit is not removed]

        self._change(pool, owner, without, {"removed": limit_id})

    def _stored(self, pool: str, owner: str) -> str:
        if team := _team_of(owner):
            name = keys.team(pool, team)
        else:
            name = keys.api_key(pool, owner) if owner else keys.pool(pool)
        return self._scripts.client.hget(name, "limits") or "[]"

    def _change(
        self,
        pool: str,
        owner: str,
        change: Callable[[list[Limit]], Sequence[Limit]],
        effect: Mapping[str, Any],
    ) -> None:
        """
        Store the list that *change* returns; try again if another process has changed it meanwhile.

        *effect* is a further argument of set_limits.lua: {added: limit} or {removed: id}.
        """
        zone = self._scripts.client.hget(keys.pool(pool), "zone") or "UTC"
        days = [1000 * start for start in RollupRepository(self._scripts.client).starts(pool, DAY)]
        team, now = _team_of(owner), time.time()
        for _ in range(MAX_TRIES):
            was = self._stored(pool, owner)
            request = {
                "key": "" if team else owner,
                "team": team or None,
                "was": was,
                "list": orjson.dumps(limits_to_json(change(_parse(was)))).decode(),
                "days": days,
                "calendar": self._calendar.windows(zone, now),
                **effect,
            }
            reply = self._scripts.run_json("set_limits", pool, request)
            if "done" in reply:
                return
            if reply["refused"] == "removed":
                raise team_not_found(self._scripts.client, pool, team)
            now = reply["now"] / 1000
        raise StoreUnavailable("Another process is changing these limits; try again", retry_after_seconds=1)


def _parse(stored: str) -> list[Limit]:
    return list(limits_from_json(orjson.loads(stored)))


def _find(limits: list[Limit], limit_id: str) -> Limit:
    for limit in limits:
        if limit.id == limit_id:
            return limit
    similar = suggestion(limit_id, (limit.id for limit in limits))
    raise NotFound(f"There is no limit '{limit_id[:40]}' here{similar}", param="limit")
