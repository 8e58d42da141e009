"""Reads the rows of the list of accounts, which the overview shows as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.accounts.oauth_tokens import NO_IDENTITY
from app.ledger.ranges import Span
from app.ledger.summaries import SUMMARY_FIGURES, Amounts, Grouping
from app.ledger.usage_reading import UsageReading
from app.presentation.account_list import AccountRow, LastUse
from app.presentation.accounts import AccountView
from app.presentation.requests import NEWEST
from app.stores.records.ledger import LedgerEntry
from app.wiring import Services


def read_rows(services: Services, pool: str) -> list[AccountRow]:
    """Return a row for each account of *pool*, with its figures of today. Raises StoreUnavailable."""
    newest = services.ledger.entries.newest(pool, NEWEST)
    return make_rows(services, pool, services.ledger.series.at_once(pool), newest)


def make_rows(
    services: Services, pool: str, usage: UsageReading, newest: Iterable[LedgerEntry]
) -> list[AccountRow]:
    """Return the same of what has been read: the usage, and the *newest* entries, the oldest first."""
    now = services.clock.now()
    series = usage.read(usage.range_of(Span.MONTH), Grouping.ACCOUNT)
    last_times = _last_times(newest)
    identities = services.accounts.identities(pool)
    rows = []
    for account in services.accounts.all(pool):
        days = series.amounts(account.id)
        last_time = last_times.get(account.id)
        rows.append(
            AccountRow(
                AccountView(account, now),
                dict(zip(SUMMARY_FIGURES, days[-1], strict=True)),
                LastUse(last_time, is_exact=True) if last_time else _last_day(series.starts, days),
                identities.get(account.id, NO_IDENTITY),
            )
        )
    return rows


def _last_times(entries: Iterable[LedgerEntry]) -> dict[str, float]:
    """Return when the newest of *entries*, the oldest first, with an attempt of each account ended."""
    return {
        account_id: entry.ended_at
        for entry in entries
        for account_id in (entry.account_id, *(attempt.account for attempt in entry.attempts))
    }


def _last_day(starts: Sequence[int], days: list[Amounts]) -> LastUse | None:
    """Return the last of *days*, which began at *starts*, on which anything was counted."""
    used = [start for start, amounts in zip(starts, days, strict=True) if any(amounts)]
    return LastUse(used[-1], is_exact=False) if used else None
