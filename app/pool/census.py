"""How many accounts are in which state, and how many requests hold a lease, over all pools."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts

STATES = ("active", "suspected", "burst_limited", "window_spent", "credential_dead", "paused")


@dataclass(frozen=True, slots=True)
class Census:
    accounts: dict[str, int]  # by state, every one of STATES among them
    leases: int


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
                pipeline.hget(keys.account(pool, account_id), "state")
        states = Counter(state or "active" for state in pipeline.execute())
    return Census(dict.fromkeys(STATES, 0) | states, sum(told[1::2]))
