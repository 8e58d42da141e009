"""Accounts by state, their attempts, requests that hold a lease, and webhooks, over all pools."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.accounts.failures import Failure
from app.stores.accounts import AccountHashes
from app.stores.alerts import AlertRepository
from app.stores.pools import PoolHashes
from app.stores.records.accounts import AccountCounts
from app.stores.records.webhooks import WebhookStatus
from app.stores.scripts import Scripts


@dataclass(frozen=True, slots=True)
class GatewayCounts:
    """Accounts, leases, attempts, rescues and webhooks of all pools."""

    accounts: dict[str, int]  # number by state, including every AccountState
    leases: int
    # Number by (pool, account, outcome)
    attempts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    rescues: dict[tuple[str, str], int] = field(default_factory=dict)  # number by (pool, account)
    webhooks: dict[tuple[str, str], WebhookStatus] = field(default_factory=dict)  # status by (pool, webhook)


def count_accounts(scripts: Scripts) -> GatewayCounts:
    """
    Return the counts. Five round trips, six with webhooks; a thousand accounts take some milliseconds.

    Raises StoreUnavailable.
    """
    counts = AccountHashes(scripts).count(tuple(Failure))
    pools = PoolHashes(scripts).names()
    webhooks = AlertRepository(scripts).all_statuses(pools)
    result = GatewayCounts(counts.by_state(), counts.leases, webhooks=webhooks)
    for account in counts.accounts:
        if account.name:
            _add_attempts(result, account)
    return result


def _add_attempts(result: GatewayCounts, account: AccountCounts) -> None:
    pool, name = account.pool, account.name
    result.rescues[pool, name] = account.rescues
    result.attempts[pool, name, "ok"] = account.attempts - sum(account.failures.values())
    for failure, count in account.failures.items():
        if count:
            result.attempts[pool, name, Failure(failure).value] = count
