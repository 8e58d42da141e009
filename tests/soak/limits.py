"""
Limits under crashes: `python -m tests.soak.limits --admissions 100000`.

Eight processes request admission as fast as they can. Every second one is killed and
another started; Redis is paused and killed now and then. At the end the ledger alone, not
the counters, must show that no limit was ever overshot, and that the books balance.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from typing import Any

import orjson

from app.stores import keys
from app.stores.client import make_client
from app.stores.scripts import Scripts
from tests.soak.callers import POOL, REQUESTED, TTL_MS, run_until_killed
from tests.support.audit import audit
from tests.support.redis import short_folder
from tests.support.redis_server import RedisServer
from tests.support.store import limit

PROCESSES = 8
KEY_LIMITS = [
    limit("k-rate", "requests", "second", 200),
    limit("k-tokens", "output_tokens", "second", 15_000),
    limit("k-parallel", "parallel_requests", "none", 30),
]
TEAM = "team:t"  # of both keys
TEAM_LIMITS = [
    limit("t-parallel", "parallel_requests", "none", 38, scope="team"),
    limit("t-burst", "output_tokens", "second", 18_000, scope="team"),
]
POOL_LIMITS = [
    limit("p-parallel", "parallel_requests", "none", 45),
    limit("p-rate", "requests", "minute", 100_000),
]
ACCOUNTS = {"a": 9, "b": 12, "c": 40}  # and their caps


def main() -> int:
    parser = argparse.ArgumentParser(description="Request admissions while workers and Redis crash.")
    parser.add_argument("--admissions", type=int, default=100_000)
    parser.add_argument("--kill-every", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with short_folder() as folder:
        server = RedisServer(folder)
        try:
            return run(server, options.admissions, options.kill_every, random.Random(options.seed))
        finally:
            server.stop()


def run(server: RedisServer, admissions: int, kill_every: float, chance: random.Random) -> int:
    client = make_client(server.url, 5.0)
    limits = limits_for(admissions)
    prepare(client, limits)
    began = time.monotonic()
    killed = torment(server, client, admissions, kill_every, chance)
    took = time.monotonic() - began
    wait_for_leases(client)
    print(f"{admissions} admissions requested in {took:.1f} s, {killed} processes killed")
    faults = audit(client, POOL, limits, list(ACCOUNTS))
    for fault in faults:
        print("FAULT:", fault)
    return 1 if faults else 0


def limits_for(admissions: int) -> dict[str, list[dict[str, Any]]]:
    """Budgets are spent before the run is over; the rest is refused most of the time."""
    budgets = [
        limit("k-hour", "total_tokens", "hour", admissions * 12),
        limit("k-day", "cost", "day", admissions * 2),
    ]
    complete = [limit("p-ever", "output_tokens", "ever", admissions * 18, scope="pool")]
    of_team = [limit("t-tokens", "total_tokens", "ever", admissions * 16, scope="team")]
    return {"k": KEY_LIMITS + budgets, "j": [], TEAM: TEAM_LIMITS + of_team, "": POOL_LIMITS + complete}


def prepare(client: Any, limits: dict[str, list[dict[str, Any]]]) -> None:
    client.hset(keys.pool(POOL), "limits", orjson.dumps(limits[""]))
    team = {"name": "t", "state": "active", "limits": orjson.dumps(limits[TEAM])}
    client.hset(keys.team(POOL, "t"), mapping=team)
    client.sadd(keys.team_names(POOL), "t")
    for key_id in ("k", "j"):
        record = {"id": key_id, "name": key_id, "state": "active", "limits": orjson.dumps(limits[key_id])}
        record["team"] = "t"
        client.hset(keys.api_key(POOL, key_id), mapping=record)
    scripts = Scripts(client)
    for name, cap in ACCOUNTS.items():
        record = {
            "id": name,
            "name": name,
            "kind": "openai",
            "offer": "cr:openai:any",
            "weight": 1,
            "cap": cap,
        }
        scripts.run("put_account", POOL, name, name, orjson.dumps(record), "[]")


def torment(
    server: RedisServer, client: Any, admissions: int, kill_every: float, chance: random.Random
) -> int:
    """Kill and replace processes until all admissions were requested; return how many were killed."""
    fork = multiprocessing.get_context("fork")
    numbers = iter(range(10**9))

    def another() -> Any:
        process = fork.Process(target=run_until_killed, args=(server.url, next(numbers), admissions))
        process.start()
        return process

    running, killed, rounds = [another() for _ in range(PROCESSES)], 0, 0
    while int(client.get(REQUESTED) or 0) < admissions:
        time.sleep(kill_every)
        rounds += 1
        victim = running.pop(chance.randrange(PROCESSES))
        victim.kill()
        victim.join()
        killed += 1
        running.append(another())
        if rounds % 5 == 2:
            server.pause(chance.uniform(0.3, 1.0))
        if rounds % 5 == 4:
            server.restart()
    for process in running:
        process.join()
    return killed


def wait_for_leases(client: Any) -> None:
    """Give back what the killed still held."""
    scripts = Scripts(client)
    while client.zcard(keys.leases(POOL)):
        time.sleep(TTL_MS / 5000)
        scripts.run("renew_leases", POOL, TTL_MS)


if __name__ == "__main__":
    sys.exit(main())
