"""
Compare the books of a pool with what its upstreams billed, request by request and limit by limit.

The upstreams' log is the truth: what was charged is never less, and where every usage was reported it
is the same to the token. No strict limit is exceeded by one unit of what was billed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.ledger.verify import Verification
from app.stores import keys
from app.stores.ledger import LedgerRepository
from tests.billing.clients import number_of
from tests.billing.upstreams import RATES
from tests.support.audit import charged, is_reported, wrongly_charged
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import Seen

Json = dict[str, Any]
Limits = dict[str, list[Json]]  # by key id; those of the pool under ""

MILLION = 1_000_000
FIGURES = ("input_tokens", "output_tokens", "cost")


@dataclass(slots=True)
class Findings:
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def checked(pool: PoolOfTest, log: list[Seen], limits: Limits) -> Findings:
    """Return what is wrong in words, and how much of what was compared."""
    findings = Findings()
    billed, rows = billed_by_request(log), rows_by_request(pool.rows())
    findings.faults += requests_wrong(billed, rows, findings.counts)
    findings.faults += limits_wrong(pool, billed, rows, limits, findings.counts)
    findings.faults += left_over(pool, limits)
    different = Verification(LedgerRepository(pool.gateway.services.scripts), pool.name).differences()
    findings.faults += [f"the ledger does not add up: {each}" for each in different]
    return findings


def billed_by_request(log: Iterable[Seen]) -> dict[int, Counter[str]]:
    """Return tokens and micro-dollars by the number of the request; a cost is rounded up per attempt."""
    billed: dict[int, Counter[str]] = defaultdict(Counter)
    for seen in log:
        assert seen.body is not None
        tokens = {name: seen.billed[name] for name in ("input_tokens", "output_tokens")}
        cost = tokens["input_tokens"] * RATES["input"] + tokens["output_tokens"] * RATES["output"]
        billed[number_of(seen.body["model"])].update({**tokens, "cost": -(-cost // MILLION), "attempts": 1})
    return billed


def rows_by_request(rows: Iterable[Json]) -> dict[int, list[Json]]:
    found: dict[int, list[Json]] = defaultdict(list)
    for row in rows:
        found[number_of(row["model"])].append(row)
    return found


def requests_wrong(
    billed: dict[int, Counter[str]], rows: dict[int, list[Json]], counts: Counter[str]
) -> Iterator[str]:
    for number, amounts in sorted(billed.items()):
        if number not in rows:
            yield f"request {number}: billed {dict(amounts)}, and not in the books"
            continue
        own = rows[number]
        reported = is_reported(own)
        counts["requests billed"] += 1
        counts["reported" if reported else "charged at a bound"] += 1
        counts["of several attempts"] += amounts["attempts"] > 1
        counts["rows with a reason"] += any("unreported" in row for row in own)
        for figure in FIGURES:
            counts[f"{figure} billed"] += amounts[figure]
            counts[f"{figure} charged"] += charged(own, figure)
        figures = {figure: amounts[figure] for figure in FIGURES}
        yield from (f"request {number}: {fault}" for fault in wrongly_charged(figures, own))


def amount(amounts: Counter[str], what: str) -> int:
    return amounts["input_tokens"] + amounts["output_tokens"] if what == "total_tokens" else amounts[what]


def limits_wrong(
    pool: PoolOfTest,
    billed: dict[int, Counter[str]],
    rows: dict[int, list[Json]],
    limits: Limits,
    counts: Counter[str],
) -> Iterator[str]:
    client = pool.gateway.services.scripts.client
    for key, each in limits.items():
        own = {number: found for number, found in rows.items() if not key or found[0]["key"] == key}
        for limit in each:
            sums: Counter[int] = Counter()  # by the start of the window
            for number, found in own.items():
                sums[limit["per"] == "day" and found[0]["day_ms"]] += amount(billed[number], limit["what"])
            most = max(sums.values(), default=0)
            counts[f"{limit['id']}: billed of {limit['max']}"] = most
            if most > limit["max"]:
                yield f"{limit['id']}: {most} billed, {limit['max']} allowed"
            if limit["per"] == "ever":
                whats = FIGURES[:2] if limit["what"] == "total_tokens" else (limit["what"],)
                recorded = sum(charged(found, what) for found in own.values() for what in whats)
                counter = int(client.hget(keys.limit(pool.name, limit["id"]), "s") or 0)
                if counter != recorded:
                    yield f"{limit['id']}: its counter is {counter}, rows come to {recorded}"


def left_over(pool: PoolOfTest, limits: Limits) -> Iterator[str]:
    """What is held for requests that have ended."""
    left = {
        "leases": pool.open_leases(),
        "requests": sum(not each for each in expired(pool)),
        "slots": pool.in_flight(),
    }
    yield from (f"{number} {what} left" for what, number in left.items() if number)
    client = pool.gateway.services.scripts.client
    for limit in [limit for each in limits.values() for limit in each]:
        held = [int(each or 0) for each in client.hmget(keys.limit(pool.name, limit["id"]), "h", "ph")]
        if any(held):
            yield f"{limit['id']}: {held} held"


def expired(pool: PoolOfTest) -> Iterator[bool]:
    """Report, for each unsettled request, whether its lease expired: it may be corrected for a month."""
    client = pool.gateway.services.scripts.client
    for name in client.scan_iter(keys.request(pool.name, "*")):
        yield client.hexists(name, "expired")
