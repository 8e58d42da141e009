"""Refreshes sign-ins before their access tokens expire, so that no request has to wait for it."""

from __future__ import annotations

import zlib

from app.accounts.account import Account
from app.stores.records.accounts import AccountState
from app.wiring import Services
from workers.account_jobs import AccountJob, examine_accounts

EVERY_SECONDS = 60.0
AHEAD_SECONDS = 300.0
SPREAD_SECONDS = 60.0  # spreads the refreshes of accounts that were signed in together


def run(services: Services, now: float) -> None:
    """Refresh every sign-in that expires within five minutes of *now*."""
    examine_accounts(services, now, _JOB)


def _is_due(account: Account, now: float) -> bool:
    """Whether a refresh is due; for some accounts, that is up to a minute later than for others."""
    ahead = AHEAD_SECONDS - zlib.crc32(account.id.encode()) % SPREAD_SECONDS
    due = bool(account.expires_at) and account.expires_at - now <= ahead
    return account.signed_in and due and account.state is not AccountState.CREDENTIAL_DEAD


def _refresh(services: Services, pool: str, account: Account, now: float) -> str:
    found = services.upstream.refresher.refresh_expiring(pool, account)
    return "ok" if found == "renewed" else found


_JOB = AccountJob("refresh", EVERY_SECONDS, _is_due, _refresh)
