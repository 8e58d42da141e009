"""
What was used: where one key stands now, and what a pool used since a day, by whom.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.ledger.attempts import EXTRA
from app.stores import keys, rollups
from app.stores.calendar import Calendar
from app.stores.client import store_errors
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit, LimitStatus, limits_to_json
from app.stores.scripts import Scripts

BY = ("key", "account", "model")


@dataclass(frozen=True, slots=True)
class UpstreamWindow:
    """One usage window of a pool's ChatGPT accounts: the mean, and when the first of them resets."""

    used_percent: float
    resets_at: int | None
    seconds: int | None = None  # how long it is, the longest of them; None: nobody has told


@dataclass(frozen=True, slots=True)
class Standing:
    used: dict[str, int]  # figure -> amount, ever
    limits: list[LimitStatus]
    windows: list[UpstreamWindow | None]  # primary, secondary; None: no account has told it


class UsageRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._calendar = Calendar()

    def standing(self, key: ApiKey) -> Standing:
        """Return where *key* stands under its own limits and its pool's, by its accounts. One round trip."""
        reply = self._ask(key.pool, key.zone, key.now, key.limits, key.id, key.accounts)
        return Standing(
            used={name: int(amount) for name, amount in reply["used"].items()},
            limits=_statuses(key.limits, reply),
            windows=_windows(reply),
        )

    def limit_statuses(self, pool: str, limits: Sequence[Limit]) -> list[LimitStatus]:
        """Return where each of *limits* stands, whosever they are. Two round trips for any number."""
        with store_errors():
            zone = self._scripts.client.hget(keys.pool(pool), "zone")
        return _statuses(limits, self._ask(pool, zone or "UTC", time.time(), limits))

    def _ask(
        self,
        pool: str,
        zone: str,
        now: float,
        limits: Sequence[Limit],
        key_id: str = "",
        accounts: Sequence[str] = (),
    ) -> dict[str, Any]:
        ask = {
            "key": key_id,
            "limits": limits_to_json(limits),
            "calendar": self._calendar.windows(zone, now),
            "accounts": accounts,
        }
        reply = self._scripts.run_json("usage_report", pool, ask)
        if "refused" in reply:  # the day has just changed, or our calendar is of another one
            ask["calendar"] = self._calendar.windows(zone, reply["now"] / 1000)
            reply = self._scripts.run_json("usage_report", pool, ask)
        return reply

    def windows(self, pool: str, accounts: Sequence[str] = ()) -> tuple[list[UpstreamWindow | None], float]:
        """
        Return the windows of *pool*, as in `Standing`, and the store's time in Unix seconds.

        With *accounts* (ids) only theirs.
        """
        ask = {"key": "", "limits": [], "calendar": {}, "accounts": accounts}
        reply = self._scripts.run_json("usage_report", pool, ask)
        return _windows(reply), reply["now"] / 1000

    def since(
        self, pool: str, day: date | None, by: str, key_id: str | None = None
    ) -> dict[str, dict[str, int]]:
        """
        Return {id or model: {figure: amount}} since the beginning of *day*, else of this month.

        Days are those of the pool's zone, as they were when they were written.
        """
        client = self._scripts.client
        with store_errors():
            zone = ZoneInfo(client.hget(keys.pool(pool), "zone") or "UTC")
            now, _ = client.time()
        day = day or datetime.fromtimestamp(now, zone).date().replace(day=1)
        first = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        began = [start for start in rollups.starts(client, pool, rollups.DAY) if start >= first]
        used: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for figure in rollups.read(client, pool, rollups.DAY, began):
            if key_id in (None, figure.key):
                used[getattr(figure, by)][figure.name] += figure.amount
        return {
            who: {"attempts": figures.get("requests", 0) + figures.get(EXTRA, 0), **figures}
            for who, figures in used.items()
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
