"""
What an admission costs the server: `REDIS_SERVER=… python -m tests.soak.admissions`.

Microseconds per call as Redis itself counts them (`INFO commandstats`), the median of batches, for
pools of several sizes.
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

from app.stores.client import make_client
from tests.support.redis import private_redis
from tests.support.store import StoreOfTest, limit

BATCH = 50
PERIODS = ("second", "minute", "hour", "day", "week", "month", "ever")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what requests cost the Redis server.")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--accounts", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--limits", type=int, nargs="*", default=[0, 3, 10])
    options = parser.parse_args()
    with private_redis() as url:
        client = make_client(url, 5.0)
        print(f"{client.info('server')['redis_version']}: microseconds per call")
        for accounts in options.accounts:
            for limits in options.limits:
                admit, settle = measure(client, accounts, limits, options.requests)
                print(f"{accounts:5} accounts {limits:3} limits: admit {admit:6.1f}  settle {settle:6.1f}")


def measure(client: Any, accounts: int, limits: int, requests: int) -> tuple[float, float]:
    """With twenty requests open at any time."""
    client.flushall()
    store = StoreOfTest(client)
    store.key("k", *(limit(f"l{n}", "output_tokens", PERIODS[n % 7], 10**9) for n in range(limits)))
    for number in range(accounts):
        store.account(f"a{number}")
    running = [store.admit(output_tokens=9)["id"] for _ in range(20)]
    admits, settles = [], []
    for _ in range(requests // BATCH):
        client.config_resetstat()
        running += [store.admit(output_tokens=9)["id"] for _ in range(BATCH)]
        admits.append(client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"])
        client.config_resetstat()
        for _ in range(BATCH):
            store.settle(running.pop(0), {"ok": True}, output_tokens=5)
        settles.append(client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"])
    return median(admits), median(settles)


if __name__ == "__main__":
    main()
