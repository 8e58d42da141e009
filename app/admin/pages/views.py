"""View models of accounts and limits: labels, badges and bars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from app.accounts.account import Account
from app.accounts.kinds import kind_of
from app.admin.pages import charts, formatting
from app.limits.limit_syntax import format_limit
from app.stores.records.limits import LimitScope, LimitStatus

REASONS = {
    "paused by an administrator": "paused by an operator",
    "usage_limit_reached": "usage limit reached",
}


@dataclass(frozen=True, slots=True)
class WindowView:
    """A usage window of an account."""

    label: str
    used: float  # percent
    resets_at: float | None  # Unix seconds
    over: bool  # it has ended since it was reported

    @property
    def bar(self) -> Markup:
        return charts.bar(self.used, 0, 100)


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account with its badge and usage windows."""

    account: Account
    windows: tuple[WindowView, ...]

    @property
    def badge(self) -> Markup:
        return formatting.badge(formatting.state(self.account.state))

    @property
    def has_sign_in(self) -> bool:
        return kind_of(self.account).has_sign_in

    @property
    def reason(self) -> str:
        if self.account.state == "active":
            return ""
        return REASONS.get(self.account.reason, self.account.reason.replace("_", " "))

    @property
    def until(self) -> float | None:
        return self.account.until_ms / 1000 or None


@dataclass(frozen=True, slots=True)
class GaugeView:
    """A limit with its usage."""

    gauge: LimitStatus

    @property
    def id(self) -> str:
        return str(self.gauge.limit.id)

    @property
    def description(self) -> str:
        return format_limit(self.gauge.limit)

    @property
    def what(self) -> str:
        return str(self.gauge.limit.unit)

    @property
    def pool(self) -> bool:
        return self.gauge.limit.scope is LimitScope.POOL

    @property
    def settled(self) -> int:
        return self.gauge.settled

    @property
    def held(self) -> int:
        return self.gauge.held

    @property
    def resets_at(self) -> int | None:
        return self.gauge.resets_at

    @property
    def remaining(self) -> int:
        return self.gauge.remaining

    @property
    def share(self) -> float:
        """Percentage that is used or reserved."""
        return self.gauge.used_percent

    @property
    def bar(self) -> Markup:
        return charts.bar(self.settled, self.held, self.gauge.limit.max)


def account_view(account: Account, now: float) -> AccountView:
    """Return the view of *account* at *now*, in Unix seconds."""
    return AccountView(account, tuple(_windows(account, now)))


def _windows(account: Account, now: float) -> Iterable[WindowView]:
    labels = kind_of(account).window_names
    windows = zip(labels, account.used, account.resets_ms, account.window_seconds, strict=True)
    for label, used, resets_ms, seconds in windows:
        if used is None:
            continue
        over = bool(resets_ms) and resets_ms <= now * 1000
        shown = f"{formatting.span(seconds)} window" if seconds else label
        yield WindowView(shown, 0.0 if over else used, resets_ms / 1000 or None, over)
