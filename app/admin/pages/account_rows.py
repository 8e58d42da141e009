"""Reads the rows of the list of accounts, which the overview shows as well."""

from __future__ import annotations

from collections.abc import Sequence

from app.accounts.account import Account
from app.accounts.oauth_tokens import NO_IDENTITY
from app.ledger.ranges import Span
from app.ledger.sums import SUMMARY_FIGURES, Amounts, Grouping
from app.ledger.usage_reading import UsageReading
from app.presentation.account_list import AccountRow, LastUse
from app.presentation.accounts import AccountView
from app.wiring import Services


def read_rows(services: Services, pool: str) -> list[AccountRow]:
    """Return a row for each account of *pool*, with its figures of today. Raises StoreUnavailable."""
    return make_rows(services, pool, services.ledger.series.at_once(pool))


def make_rows(services: Services, pool: str, usage: UsageReading) -> list[AccountRow]:
    """Do the same with a *usage* that the page has read for other parts, too."""
    now = services.clock.now()
    series = usage.read(usage.range_of(Span.MONTH), Grouping.ACCOUNT)
    identities = services.accounts.identities(pool)
    rests = services.model_rests.all(pool, now)
    rows = []
    for account in services.accounts.all(pool):
        days = series.amounts(account.id)
        rows.append(
            AccountRow(
                AccountView(account, now, rests.get(account.id, ())),
                dict(zip(SUMMARY_FIGURES, days[-1], strict=True)),
                _last_use(account, series.starts, days),
                identities.get(account.id, NO_IDENTITY),
            )
        )
    return rows


def _last_use(account: Account, starts: Sequence[int], days: list[Amounts]) -> LastUse | None:
    """
    Return when *account* was last chosen.

    Where that is not stored, as of an earlier version, it is the last day, of those that began at *starts*,
    on which anything was counted.
    """
    if account.picked_ms:
        return LastUse(account.picked_ms / 1000, is_exact=True)
    used = [start for start, amounts in zip(starts, days, strict=True) if any(amounts)]
    return LastUse(used[-1], is_exact=False) if used else None
