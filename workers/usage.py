"""Reads the usage windows of accounts whose upstreams report them."""

from __future__ import annotations

from typing import Any

from app.accounts.account import Account
from app.accounts.kinds import kind_of
from app.errors import UpstreamRejected
from app.operations.upstream_lists import checked_object
from app.stores.records.accounts import OUT_OF_USE
from app.wiring import Services
from workers.account_jobs import AccountJob, examine_accounts

EVERY_SECONDS = 60.0


def run(services: Services, now: float) -> None:
    """Store the reported usage; this also ends the state `window_spent` if a window has room again."""
    examine_accounts(services, now, _JOB)


def _is_due(account: Account, now: float) -> bool:
    return bool(kind_of(account).usage_path) and account.state not in OUT_OF_USE


def _fetch_usage(services: Services, pool: str, account: Account, now: float) -> str:
    usage = get_object(services, pool, account, kind_of(account).usage_path)
    services.upstream.lists.store_usage(pool, account, usage, now)
    return "ok"


def get_object(services: Services, pool: str, account: Account, path: str) -> dict[str, Any]:
    """
    Return the JSON object at *path* of *account*; a refused token is refreshed once.

    Raises UpstreamError.
    """
    try:
        payload = services.upstream.client.get_json(account, path)
    except UpstreamRejected as error:
        renewed = None
        if error.upstream_status == 401:
            renewed = services.upstream.refresher.refresh_after_401(pool, account)
        if renewed is None:
            raise
        payload = services.upstream.client.get_json(renewed, path)
    return checked_object(payload)


_JOB = AccountJob("usage", EVERY_SECONDS, _is_due, _fetch_usage)
