"""Usage in Redis: the current usage of one API key, and the usage of a pool since the start of a day."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from app.stores import keys
from app.stores.calendar import Calendar
from app.stores.pool_clock import UTC, PoolClock
from app.stores.records.api_keys import ApiKey
from app.stores.records.ledger import EXTRA
from app.stores.records.limits import Limit, LimitStatus, limits_to_json
from app.stores.records.usage import KeyUsage, UpstreamWindow, UsageBy
from app.stores.rollups import DAY, RollupRepository
from app.stores.scripts import Scripts


class UsageRepository:
    """Usage and the status of limits."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._calendar = Calendar()
        self._clock = PoolClock(scripts)
        self._rollups = RollupRepository(scripts.client)

    def of_key(self, key: ApiKey) -> KeyUsage:
        """
        Return the usage of *key*, its limits with those of its pool, and the usage windows.

        One round trip.
        """
        reply = self._run(key.pool, key.zone, key.now, key.limits, key.id, key.accounts)
        return KeyUsage(
            used={name: int(amount) for name, amount in reply["used"].items()},
            limits=_statuses(key.limits, reply),
            windows=_windows(reply),
        )

    def limit_statuses(self, pool: str, limits: Sequence[Limit]) -> list[LimitStatus]:
        """Return the status of each of *limits*, of any keys of *pool*, in two round trips."""
        if not limits:
            return []
        zone = self._clock.zone_name(pool)
        return _statuses(limits, self._run(pool, zone, time.time(), limits))

    def windows(self, pool: str, accounts: Sequence[str] = ()) -> tuple[list[UpstreamWindow | None], float]:
        """
        Return the usage windows of *pool*, as in `KeyUsage`, and the store's time in Unix seconds.

        With *accounts* (ids), only the windows of these accounts.
        """
        reply = self._run(pool, UTC, time.time(), (), accounts=accounts)
        return _windows(reply), reply["now"] / 1000

    def _run(
        self,
        pool: str,
        zone: str,
        now: float,
        limits: Sequence[Limit],
        key_id: str = "",
        accounts: Sequence[str] = (),
    ) -> dict[str, Any]:
        request = {
            "key": key_id,
            "limits": limits_to_json(limits),
            "calendar": self._calendar.windows(zone, now),
            "accounts": accounts,
        }
        reply = self._scripts.run_json("usage_report", pool, request)
        if "refused" in reply:  # the process and the store are in different days
            request["calendar"] = self._calendar.windows(zone, reply["now"] / 1000)
            reply = self._scripts.run_json("usage_report", pool, request)
        return reply

    def used_keys(self, pool: str, key_ids: Sequence[str]) -> set[str]:
        """Return those of *key_ids* that have ever been used. One round trip."""
        pipeline = self._scripts.client.pipeline(transaction=False)
        for key_id in key_ids:
            pipeline.exists(keys.used(pool, key_id))
        return {key_id for key_id, exists in zip(key_ids, pipeline.execute(), strict=True) if exists}

    def last_times(self, pool: str, key_ids: Sequence[str]) -> dict[str, float]:
        """Return when the newest request of each of *key_ids* ended, in Unix seconds. One round trip."""
        stored = self._scripts.client.hmget(keys.last_used(pool), key_ids) if key_ids else []
        return {key_id: int(at) / 1000 for key_id, at in zip(key_ids, stored, strict=True) if at}

    def since(
        self, pool: str, day: date | None, by: UsageBy | str, key_ids: Collection[str] | None = None
    ) -> dict[str, dict[str, int]]:
        """
        Return {id, team or model: {figure: amount}} since the beginning of *day*, else of this month.

        With *key_ids*, only the usage of these API keys.

        Days are those of the pool's time zone at the time of the usage.
        """
        zone = self._clock.zone(pool)
        day = day or datetime.fromtimestamp(int(self._clock.now()), zone).date().replace(day=1)
        first = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        starts = [start for start in self._rollups.starts(pool, DAY) if start >= first]
        used: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        by_team = by == UsageBy.TEAM
        for figure in self._rollups.read(pool, DAY, starts, by_team=by_team):
            if key_ids is None or figure.key in key_ids:
                used[figure.key if by_team else getattr(figure, by)][figure.name] += figure.amount
        return {
            owner: {"attempts": figures.get("requests", 0) + figures.get(EXTRA, 0), **figures}
            for owner, figures in used.items()
        }


def _statuses(limits: Sequence[Limit], reply: dict[str, Any]) -> list[LimitStatus]:
    return [
        LimitStatus(limit, int(settled), int(held), _seconds(reset_ms))
        for limit, (settled, held, reset_ms) in zip(limits, reply["limits"], strict=True)
    ]


def _windows(reply: dict[str, Any]) -> list[UpstreamWindow | None]:
    return [
        UpstreamWindow(round(total / accounts, 1), _seconds(reset_ms), int(seconds) or None)
        if accounts
        else None
        for accounts, total, reset_ms, seconds in reply["windows"]
    ]


def _seconds(ms: float) -> int | None:
    return int(ms // 1000) or None
