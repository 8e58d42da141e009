"""One run: accounts of every kind, keys with strict limits, clients who leave, workers that end."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import dataclass

import orjson

from app.stores.records.limits import limits_from_json
from tests.billing.check import Findings, Limits, checked
from tests.billing.clients import Clients
from tests.billing.upstreams import REASONING, prepare
from tests.support.gateway import PoolOfTest
from tests.support.processes import eventually
from tests.support.store import limit
from tests.support.upstream_client import ScriptedUpstream

CAP = 50
TTL_MS = 30_000
STILL_SECONDS = 0.5
QUIET_SECONDS = 60.0  # for leases of the killed to run out


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int = 1
    seconds: float = 6.0
    clients: int = 12
    restarts: int = 1  # of a worker
    kills: bool = False  # whether that is by SIGKILL
    room: float = 1.0  # by which the limits are multiplied


def limits_of(room: float) -> Limits:
    def most(amount: int) -> int:
        return int(amount * room)

    return {
        "": [
            limit("pool-output", "output_tokens", "ever", most(400_000), scope="pool"),
            limit("pool-day", "cost", "day", most(9_000_000), scope="pool"),
        ],
        "free": [],
        "total": [limit("total-day", "total_tokens", "day", most(9_000))],
        "output": [limit("output-ever", "output_tokens", "ever", most(5_000))],
        "cost": [
            limit("cost-ever", "cost", "ever", most(120_000)),
            limit("input-day", "input_tokens", "day", most(9_000)),
        ],
        "both": [
            limit("both-cost", "cost", "day", most(150_000)),
            limit("both-total", "total_tokens", "ever", most(11_000)),
        ],
        "restarts": [limit("restarts-total", "total_tokens", "ever", most(12_000))],
    }


def run(pool: PoolOfTest, upstream: ScriptedUpstream, plan: Plan) -> Findings:
    """Make a run and return what is wrong in the ledger."""
    limits = limits_of(plan.room)
    prepare(pool, upstream, CAP)
    pool.set(limits=orjson.dumps(limits[""]).decode())
    _catch(pool, upstream)
    api_keys = pool.gateway.services.api_keys
    ids: Limits = {"": limits.pop("")}
    secrets = []
    for name, each in limits.items():
        on_cut = "restart" if name == "restarts" else "fail"
        key, secret = api_keys.create(pool.name, name, limits=limits_from_json(each), on_cut=on_cut)
        ids[key.id] = each
        secrets.append(secret)
    clients = Clients(pool, secrets)
    ender = threading.Thread(target=_end_workers, args=(pool, plan))
    ender.start()
    clients.load(plan.clients, plan.seconds, plan.seed)
    ender.join()
    settled_down(pool)
    findings = checked(pool, upstream.log(), ids)
    findings.counts["leases that ran out"] = sum(row["status"] == 599 for row in pool.rows())
    findings.counts["requests"] = len(clients.statuses)
    findings.counts["refused"] = sum(status == 429 for status in clients.statuses.values())
    findings.counts["failures of ours"] = sum(status == 500 for status in clients.statuses.values())
    findings.counts["clients who left"] = sum(row["status"] == 499 for row in pool.rows())
    return findings


def _catch(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Let the account that ignores lengths be caught: its first response is under no limit."""
    services = pool.gateway.services
    account = services.accounts.find(pool.name, "ignores")
    key = pool.key(
        "first-answer",
        accounts=(account.id,),
        limits=(limit("spent-by-nobody", "output_tokens", "ever", 10**9),),
    )
    Clients(pool, [key], first=0).one(_Staying(), key, REASONING)
    assert eventually(lambda: bool(services.accounts.find(pool.name, "ignores").exceeded)), pool.rows()
    upstream.wait_for(1, account="ignores", end="any")


class _Staying(random.Random):
    """A client that stays, on the chat surface."""

    def random(self) -> float:
        return 0.5

    def choice(self, seq):  # type: ignore[no-untyped-def]
        return seq[0]


def _end_workers(pool: PoolOfTest, plan: Plan) -> None:
    chance = random.Random(plan.seed)
    for _ in range(plan.restarts):
        time.sleep(plan.seconds / (plan.restarts + 1))
        os.kill(chance.choice(pool.gateway.children()), signal.SIGKILL if plan.kills else signal.SIGTERM)


def settled_down(pool: PoolOfTest) -> None:
    """Wait until nothing is open or under way; the leases of those who were killed are taken back."""
    before = -1

    def quiet() -> bool:
        nonlocal before
        pool.gateway.services.scripts.run("renew_leases", pool.name, TTL_MS)
        rows, known = len(pool.rows()), before
        before = rows
        if pool.open_leases() or pool.in_flight():
            return False
        time.sleep(STILL_SECONDS)  # a worker may not have read yet what a client sent before it left
        return rows == known

    assert eventually(quiet, QUIET_SECONDS), "requests are open"
