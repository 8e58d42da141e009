"""When the usage windows of accounts are exhausted, as JSON for operators; times in Unix seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypedDict

from app.accounts.account import Account
from app.formatting import NamedId
from app.ledger.points import Series
from app.ledger.projection import Projection, Usage, project_window, recent_rate
from app.ledger.ranges import Span
from app.ledger.series import UsageSeries
from app.ledger.summaries import Grouping


class ProjectionJson(TypedDict):
    """A usage window of an account, and when it is exhausted."""

    account: NamedId
    window_seconds: int
    used_percent: float
    resets_at: float
    projected: bool
    percent_per_hour: float | None
    exhausted_at: float | None


def project_accounts(usage: UsageSeries, pool: str, accounts: Iterable[Account]) -> list[ProjectionJson]:
    """Return the usage windows of *accounts* that have not been reset, those that are exhausted first."""
    now = usage.now()
    week, day = (usage.series(pool, span, Grouping.ACCOUNT) for span in (Span.WEEK, Span.DAY))
    found = [
        projection
        for account in accounts
        for projection in _project(account, _tokens(week, account.id), _tokens(day, account.id), now)
    ]
    return sorted(found, key=lambda one: (one["exhausted_at"] or one["resets_at"], one["account"]["id"]))


def _project(account: Account, week: Usage, day: Usage, now: float) -> Iterator[ProjectionJson]:
    for used, resets_ms, seconds in zip(account.used, account.resets_ms, account.window_seconds, strict=True):
        if used is None or resets_ms <= now * 1000:
            continue
        projection = project_window(used, seconds, week, recent_rate(day, now), now, resets_ms / 1000)
        yield {
            "account": {"id": account.id, "name": account.name},
            "window_seconds": seconds,
            "used_percent": used,
            "resets_at": resets_ms / 1000,
            "projected": projection is not None,
            "percent_per_hour": _per_hour(projection),
            "exhausted_at": projection.exhausted_at if projection else None,
        }


def _per_hour(projection: Projection | None) -> float | None:
    return None if projection is None else round(3600 * projection.rate, 2)


def _tokens(series: Series, account_id: str) -> Usage:
    """Return the input and output tokens of an account at each point."""
    amounts = [point["input_tokens"] + point["output_tokens"] for point in series.points(account_id)]
    return Usage(series.starts, amounts, series.until)
