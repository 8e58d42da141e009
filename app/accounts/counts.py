"""Accounts by state, their attempts, and how many requests hold a lease, over all pools."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from app.accounts.failures import Failure
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts

STATES = ("active", "suspected", "burst_limited", "window_spent", "credential_dead", "paused")

_FAILED = "failed:"  # + a failure, in a stored account: see app/stores/lua/attempts.lua
_FIELDS = ("state", "name", "attempts", "rescues", *(_FAILED + failure for failure in Failure))


@dataclass(frozen=True, slots=True)
class Census:
    accounts: dict[str, int]  # by state, every one of STATES among them
    leases: int
    attempts: dict[tuple[str, str, str], int] = field(default_factory=dict)  # by (pool, account, outcome)
    rescues: dict[tuple[str, str], int] = field(default_factory=dict)  # by (pool, account)


def census(scripts: Scripts) -> Census:
    """
    Count in three round trips, whatever there is; a thousand accounts take some milliseconds.

    Raises StoreUnavailable.
    """
    with store_errors():
        pools = sorted(scripts.client.smembers(keys.POOLS))
        pipeline = scripts.client.pipeline(transaction=False)
        for pool in pools:
            pipeline.hvals(keys.account_names(pool))
            pipeline.zcard(keys.leases(pool))
        told = pipeline.execute()
        for pool, account_ids in zip(pools, told[::2], strict=True):
            for account_id in account_ids:
                pipeline.hmget(keys.account(pool, account_id), _FIELDS)
        records = iter(pipeline.execute())
    found = Census({}, sum(told[1::2]))
    states: Counter[str] = Counter()
    for pool, account_ids in zip(pools, told[::2], strict=True):
        for _ in account_ids:
            record = dict(zip(_FIELDS, next(records), strict=True))
            states[record["state"] or "active"] += 1
            if record["name"]:
                _add_attempts(found, pool, record)
    return replace(found, accounts=dict.fromkeys(STATES, 0) | states)


def _add_attempts(found: Census, pool: str, record: dict[str, str | None]) -> None:
    name = str(record["name"])
    failed = {failure: int(record[_FAILED + failure] or 0) for failure in Failure}
    succeeded = int(record["attempts"] or 0) - sum(failed.values())
    found.rescues[pool, name] = int(record["rescues"] or 0)
    found.attempts[pool, name, "ok"] = succeeded
    for failure, count in failed.items():
        if count:
            found.attempts[pool, name, failure.value] = count
