"""
Forecasts of when usage windows of accounts, and limits, are used up at the present rate. Pure.

The rate is the mean since the window or the period began. If the load of the last hours is twice as high, the
rest lasts half as long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from app.formatting import duration
from app.limits.limit_syntax import format_limit
from app.presentation.accounts import AccountView
from app.presentation.projection import exhausted_at, mean_rate
from app.stores.records.accounts import OUT_OF_USE
from app.stores.records.limits import Limit, LimitStatus

MIN_WINDOW_SECONDS = 3600  # shorter windows limit the rate of requests, not their amount


class WindowJson(TypedDict):
    """A PoolWindow; `exhausted_at` is its `spent_at`."""

    kind: str
    plan: str
    window: str
    accounts: int
    used_percent: float
    first_reset: float | None
    last_reset: float | None
    exhausted_at: float | None


class LimitOutlookJson(TypedDict):
    """A LimitOutlook; `owner` is the name of its key or team, '' for the pool."""

    scope: str
    owner: str
    limit: str
    used_percent: float
    resets_at: int | None
    exhausted_at: float | None


@dataclass(frozen=True, slots=True)
class PoolWindow:
    """
    The combined usage window of all accounts of a kind and plan that are in use.

    `used` is the used percentage of all windows together; `first_reset` and `last_reset` are the first and
    the last of their resets. `spent_at` is when all are used up at the present rate, None: not before the
    last reset. Times are in Unix seconds.
    """

    kind: str
    plan: str
    label: str
    accounts: int
    used: float
    first_reset: float | None
    last_reset: float | None
    spent_at: float | None

    @property
    def left(self) -> float:
        return max(0.0, 100 - self.used)

    def to_json(self) -> WindowJson:
        return {
            "kind": self.kind,
            "plan": self.plan,
            "window": self.label,
            "accounts": self.accounts,
            "used_percent": round(self.used, 2),
            "first_reset": self.first_reset,
            "last_reset": self.last_reset,
            "exhausted_at": self.spent_at,
        }


def pool_windows(views: Iterable[AccountView], plans: Mapping[str, str]) -> list[PoolWindow]:
    """Return the combined usage windows, the fullest first; *plans* are by account id."""
    groups: dict[tuple[str, str, int], list[_Window]] = defaultdict(list)
    now = 0.0
    for view in views:
        account, now = view.account, view.now
        if account.state in OUT_OF_USE:
            continue
        for used, resets_ms, seconds in zip(
            account.used, account.resets_ms, account.window_seconds, strict=True
        ):
            if used is not None and seconds >= MIN_WINDOW_SECONDS:
                is_over = bool(resets_ms) and resets_ms <= now * 1000
                window = _Window(0.0, None) if is_over else _Window(used, resets_ms / 1000 or None)
                groups[account.kind, plans.get(account.id, ""), seconds].append(window)
    found = [_pool_window(*group, windows, now) for group, windows in groups.items()]
    return sorted(found, key=lambda window: (window.left, window.kind, window.label))


@dataclass(frozen=True, slots=True)
class _Window:
    used: float  # percent
    resets_at: float | None  # None: unknown, or the window begins with the next request


def _pool_window(kind: str, plan: str, seconds: int, windows: Sequence[_Window], now: float) -> PoolWindow:
    resets = [window.resets_at for window in windows if window.resets_at]
    used = sum(window.used for window in windows)
    rate = sum(
        mean_rate(window.used, seconds - (window.resets_at - now)) for window in windows if window.resets_at
    )
    last = max(resets, default=None)
    spent_at = exhausted_at(100 * len(windows) - used, rate, last, now)
    label = f"{duration(seconds)} window"
    return PoolWindow(
        kind, plan, label, len(windows), used / len(windows), min(resets, default=None), last, spent_at
    )


@dataclass(frozen=True, slots=True)
class LimitOutlook:
    """A limit of a key, a team or (with the name '') the pool; `full_at` is like PoolWindow.spent_at."""

    owner: str
    status: LimitStatus
    full_at: float | None

    @property
    def limit(self) -> Limit:
        return self.status.limit

    def to_json(self) -> LimitOutlookJson:
        return {
            "scope": self.limit.scope,
            "owner": self.owner,
            "limit": format_limit(self.limit),
            "used_percent": round(self.status.used_percent, 2),
            "resets_at": self.status.resets_at,
            "exhausted_at": self.full_at,
        }


def limits_by_use(
    owned: Sequence[tuple[str, LimitStatus]], starts: Mapping[str, float], now: float
) -> list[LimitOutlook]:
    """
    Return the limits in (owner, status) that count amounts per calendar period or in total, the fullest
    first.

    *starts* are the starts of the current periods, by name, in Unix seconds.
    """
    found = [
        LimitOutlook(owner, status, _full_at(status, starts.get(status.limit.period), now))
        for owner, status in owned
        if not (status.limit.unit.is_concurrent or status.limit.period.is_rolling)
    ]
    return sorted(found, key=lambda one: -one.status.used_percent)


def _full_at(status: LimitStatus, start: float | None, now: float) -> float | None:
    used = status.settled + status.held
    if start is None or not used:
        return None
    return exhausted_at(status.remaining, mean_rate(used, now - start), status.resets_at, now)
