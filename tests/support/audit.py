"""
Check a run by its ledger alone: whether any limit was exceeded, and whether the sums agree.

The counters are not trusted. An entry of the ledger has the time when its request was admitted and, in its
id, the time when it ended, both on the clock of Redis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from app.stores import keys
from tests.support.model import FIGURES, PERIOD_MS

Json = dict[str, Any]
Limits = dict[str, list[Json]]  # by key id; limits of a team by `team:NAME`, those of the pool by ""

SPAN_MS = {"hour": 3_600_000, "day": 86_400_000}
SLACK_MS = 2  # between the time that a script reads and that in the id of the entry that it writes


def audit(client: Any, pool: str, limits: Limits, accounts: list[str]) -> list[str]:
    """Return what is wrong, as sentences; print what was found."""
    rows = list(ledger(client, pool))
    sources = Counter(row["source"] for row in rows)
    print(f"{len(rows)} rows: {dict(sources)}")
    unheld = sum("unheld" in row for row in rows)
    faults = [f"Redis forgot {unheld} admissions that it had answered"] if unheld else []
    return (
        faults
        + overshots(limits, rows)
        + unbalanced(rows)
        + counter_mismatches(client, pool, limits, accounts, rows)
    )


def overshots(limits: Limits, rows: list[Json]) -> list[str]:
    return [
        fault for key, each in limits.items() for limit in each for fault in overshot(limit, of(rows, key))
    ]


def counter_mismatches(
    client: Any, pool: str, limits: Limits, accounts: list[str], rows: list[Json]
) -> list[str]:
    """Return counters and totals that differ from *rows*, and reservations without a request."""
    wrong = rolled_up_wrong(client, pool, rows) + left_over(client, pool, limits, accounts)
    return wrong + wrong_budgets(client, pool, limits, rows)


def ledger(client: Any, pool: str) -> Iterator[Json]:
    last = "-"
    while entries := client.xrange(keys.ledger(pool), min=last, count=10_000):
        for entry_id, fields in entries:
            yield {"ended_ms": int(entry_id.partition("-")[0])} | orjson.loads(fields["row"])
        last = "(" + entries[-1][0]


def of(rows: list[Json], key: str) -> list[Json]:
    if key.startswith("team:"):
        return [row for row in rows if row.get("team") == key.removeprefix("team:")]
    return [row for row in rows if not key or row["key"] == key]


def amount(row: Json, what: str, mode: str = "strict") -> int:
    """Return the amount of *row* under a limit; a strict limit also counts usage that was not reported."""
    if what in ("requests", "parallel_requests"):
        return int(row["source"] != "corrected")
    if what == "total_tokens":
        return amount(row, "input_tokens", mode) + amount(row, "output_tokens", mode)
    used = row.get(what, row.get("ceiling_cost", 0) if what == "cost" else 0)
    return int(used) + (int(row.get(f"unreported_{what}", 0)) if mode == "strict" else 0)


def charged_attempts(row: Json) -> list[Json]:
    """Return the failed attempts of a request that were charged; each ended before the request did."""
    return [each for each in row.get("charges") or row.get("attempts") or () if "input_tokens" in each]


def charged(rows: Iterable[Json], figure: str) -> int:
    """Return what strict limits are charged for *rows*."""
    return sum(int(row.get(figure, 0) + row.get(f"unreported_{figure}", 0)) for row in rows)


def is_reported(rows: list[Json]) -> bool:
    """Return whether everything that the *rows* of one request are charged was reported."""
    (row, *more) = rows
    estimated = any("counted_by" in each for each in (row, *charged_attempts(row)))
    return not more and row["source"] == "upstream" and not estimated


def wrongly_charged(billed: Mapping[str, int], rows: list[Json]) -> Iterator[str]:
    """Report where less was charged than *billed* (by figure), or not the same although all was reported."""
    for figure, most in billed.items():
        excess = charged(rows, figure) - most
        if excess < 0:
            yield f"{most} {figure} billed, {-excess} of them not charged: {rows}"
        elif excess > 0 and is_reported(rows):
            yield f"{most} {figure} reported, {excess} more charged: {rows}"


def overshot(limit: Json, rows: list[Json]) -> Iterator[str]:
    name, what, most = limit["id"], limit["what"], limit["max"]
    if limit["per"] == "none":
        yield from too_many_at_once(name, most, rows)
    elif limit["per"] in PERIOD_MS:
        yield from overflown(name, most, PERIOD_MS[limit["per"]], charges(what, rows, limit["mode"]))
    else:
        span = SPAN_MS.get(limit["per"], 10**15)
        sums: Counter[int] = Counter()
        for row in rows:
            sums[row["at_ms"] // span] += amount(row, what, limit["mode"])
            if sums[row["at_ms"] // span] > most:
                yield f"{name}: {sums[row['at_ms'] // span]} of {most}"
                return
        print(f"{name}: at most {max(sums.values(), default=0)} of {most}")


def too_many_at_once(name: str, most: int, rows: list[Json]) -> Iterator[str]:
    """Requests that ended and began in the same millisecond did so in the order that fits."""
    changes = [(row["at_ms"], 1) for row in rows if row["source"] != "corrected"]
    changes += [(row["ended_ms"], -1) for row in rows if row["source"] != "corrected"]
    at_once = peak = 0
    for _, change in sorted(changes):
        at_once += change
        peak = max(peak, at_once)
    print(f"{name}: at most {peak} of {most} at once")
    if peak > most:
        yield f"{name}: {peak} at once, {most} allowed"


def charges(what: str, rows: list[Json], mode: str) -> list[tuple[int, int]]:
    """
    When how much was settled: requests when they are admitted, the rest when they end.

    The row does not have the end of a failed attempt: not before its request was admitted.
    """
    recorded = [row for row in rows if row["source"] != "corrected"]
    if what == "requests":
        return sorted((row["at_ms"], 1) for row in recorded)
    found = []
    for row in recorded:
        early = sum(amount(each, what, mode) for each in charged_attempts(row))
        found += [(row["at_ms"], early), (row["ended_ms"], amount(row, what, mode) - early)]
    return sorted(found)


def overflown(name: str, most: int, period_ms: int, charged: list[tuple[int, int]]) -> Iterator[str]:
    """A bucket of *most* units that drains *most* per period never overflows."""
    level = fullest = 0.0
    last = 0
    for at_ms, units in charged:
        level = max(0.0, level - (at_ms - last) * most / period_ms) + units
        fullest, last = max(fullest, level), at_ms
    print(f"{name}: at most {fullest:.2f} of {most}")
    if fullest > most * (1 + SLACK_MS / period_ms):
        yield f"{name}: the bucket held {fullest:.3f} of {most}"


def unbalanced(rows: list[Json]) -> list[str]:
    """A request has one row, or the guess of an expired lease and its correction."""
    sources: dict[str, list[str]] = {}
    for row in rows:
        sources.setdefault(row["id"], []).append(row["source"])
    allowed = (["upstream"], ["estimated"], ["estimated", "corrected"])
    return [f"{id}: rows {found}" for id, found in sources.items() if found not in allowed]


def rolled_up_wrong(client: Any, pool: str, rows: list[Json]) -> list[str]:
    sums: Counter[tuple[int, str]] = Counter()
    for row in rows:
        day = row["day_ms"] // 1000
        for account, figures in by_account(row):
            for figure in FIGURES:
                sums[day, f"{row['key']}|{account}|{row['model']}|{figure}"] += figures.get(figure, 0)
        sums[day, f"{row['key']}|{row['account']}|{row['model']}|requests"] += row["source"] != "corrected"
    stored: Counter[tuple[int, str]] = Counter()
    for start in {start for start, _ in sums}:
        for field, value in client.hgetall(keys.rollup(pool, "d", start)).items():
            stored[start, field] += int(value)
    return [
        f"roll-up {name}: {stored[name]}, rows have {sums[name]}"
        for name in sums
        if sums[name] != stored[name]
    ]


def by_account(row: Json) -> Iterator[tuple[str, Json]]:
    """Yield what *row* counts for each account; a failed attempt that was charged counts for its own."""
    rest = dict(row)
    for each in () if row["source"] == "corrected" else charged_attempts(row):
        yield each["account"], each
        rest |= {name: rest.get(name, 0) - each.get(name, 0) for name in FIGURES}
    yield row["account"], rest


def left_over(client: Any, pool: str, limits: Limits, accounts: list[str]) -> list[str]:
    faults = [
        f"{limit['id']}: {held} still held"
        for each in limits.values()
        for limit in each
        if (held := int(client.hget(keys.limit(pool, limit["id"]), "h") or 0))
    ]
    for name in accounts:
        if in_flight := int(client.hget(keys.account(pool, name), "in_flight")):
            faults.append(f"account {name}: {in_flight} slots still taken")
    return faults


def wrong_budgets(client: Any, pool: str, limits: Limits, rows: list[Json]) -> list[str]:
    """A budget that never rolls over has settled exactly what the rows add up to."""
    return [
        f"{limit['id']}: {settled} settled, rows have {recorded}"
        for key, each in limits.items()
        for limit in each
        if limit["per"] == "ever"
        and (settled := int(client.hget(keys.limit(pool, limit["id"]), "s") or 0))
        != (recorded := sum(amount(row, limit["what"], limit["mode"]) for row in of(rows, key)))
    ]
