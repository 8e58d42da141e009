"""
Judge a run by its history and by Redis: `python -m tests.chaos.check HISTORY --redis URL`.

The service itself is not queried. Ends with status 1, and a line for each violation.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from app.stores import keys
from app.stores.client import make_client
from tests.chaos.history import History, Json
from tests.support.audit import amount, counter_mismatches, ledger, overshots, unbalanced

BROKEN_SECONDS = 5.0  # within these of its worker's death a connection may break
LOSS_SECONDS = 2.0  # what a failover may lose, according to the guide
VERIFIED_SECONDS = 10.0  # a worker writes again what a failover lost, unless it is killed before that
LOOK_UP_SECONDS = 5.0  # it looks that up after these, at the earliest, and again if the store was away
STOOD_STILL_SECONDS = 1.0  # a master that fails had been slow to write before that
UNSERVED_SECONDS = 45.0  # the longest time without a served request
LONG_RUN_SECONDS = 600.0
WARM_SECONDS = 300.0
MAX_GROWN = 1.05
NOISE_MIB = 8.0  # what an allocator may need in a short run
TOKENS = ("input_tokens", "output_tokens")
MAX_FAULTS = 40  # shown


def faults(history: History, rows: list[Json]) -> list[str]:
    """Return the violations in history and ledger."""
    return [
        *responses(history),
        *unserved(history),
        *overshots(history.setup["limits"], [row for row in rows if "unheld" not in row]),
        *unbalanced(rows),
        *unbooked(history, rows),
        *undercharged(history, rows),
        *overbilled(history),
        *forgotten(history, rows),
        *memory(history),
        *outlived(history),
    ]


def responses(history: History) -> Iterable[str]:
    """No false finish, no error outside the envelope, no broken connection but to a dead worker."""
    kills = history.moments("kill_worker")
    for heard in history.of("heard"):
        number, text = heard["number"], history.setup["text"]
        if heard["finished"] and heard["text"] != text:
            yield f"request {number}: a false finish after {heard['text']!r}"
        elif not text.startswith(heard["text"]):
            yield f"request {number}: heard {heard['text']!r}"
        elif not heard["whole"] and not _within(heard["at"], kills, BROKEN_SECONDS):
            yield f"request {number}: {heard['faults']}, though no worker was killed"
        elif heard["whole"] and heard["faults"]:
            yield f"request {number}: {heard['faults']}"
        if heard["status"] == 500 or heard["error"] == "server_error":
            yield f"request {number}: a failure of ours, {heard['status']} {heard['error']}"


def unserved(history: History) -> Iterable[str]:
    served = sorted(heard["at"] for heard in history.of("heard") if heard["finished"])
    if not served:
        yield "no request was served"
    for before, after in pairwise(served):
        if after - before > UNSERVED_SECONDS:
            yield f"no request was served for {after - before:.0f} s"


def unbooked(history: History, rows: list[Json]) -> Iterable[str]:
    """Every request that was answered, or reached an upstream, has a row; no other has one."""
    recorded = {row["id"] for row in rows}
    by_model: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_model[row["model"]].add(row["id"])
    sent = {each["number"]: each for each in history.of("sent")}
    known = {each["number"]: each["id"] for each in history.of("heard") if each["id"]}
    finished = {each["number"] for each in history.of("heard") if each["finished"]}
    reached = {each["number"] for each in history.of("upstream")}
    doubly_lost = _doubly_lost(history)
    for number in sorted((finished | (reached & known.keys())) - doubly_lost):
        if known.get(number) not in recorded:
            yield f"request {number}: no row for {known.get(number)}"
    losses = _losses(history)
    sure = [
        number
        for number in (finished | reached) - doubly_lost
        if number in known or not _within(sent[number]["at"], losses, LOSS_SECONDS)
    ]
    needed = Counter(sent[number]["model"] for number in sure)
    requested = Counter(each["model"] for each in sent.values())
    for model in requested:
        if not needed[model] <= len(by_model[model]) <= requested[model]:
            yield f"{model}: {len(by_model[model])} rows, {requested[model]} sent, {needed[model]} for sure"


def undercharged(history: History, rows: list[Json]) -> Iterable[str]:
    """
    Strict limits are charged no less than upstreams billed; what these reported is recorded to the token.

    A client that left heard no id: its request is among those of its model.
    """
    bills = _bills(history)
    ids = {each["number"]: each["id"] for each in history.of("heard") if each["id"]}
    recorded: dict[str, list[Json]] = defaultdict(list)
    for row in rows:
        recorded[row["id"]].append(row)
    for number, bill in bills.items():
        own = recorded.get(ids.get(number, ""), [])
        for figure in TOKENS if own else ():
            charged = sum(amount(row, figure) for row in own)
            reported = all(row["source"] == "upstream" for row in own)
            if charged < bill[figure] or (reported and charged != bill[figure]):
                yield f"request {number}: {bill[figure]} {figure} billed, {charged} charged"
    models = {each["number"]: each["model"] for each in history.of("sent")}
    sure = _sure(history)
    for figure in TOKENS:
        charged_by: Counter[str] = Counter()
        billed_by: Counter[str] = Counter()
        for row in rows:
            charged_by[row["model"]] += amount(row, figure)
        for number, bill in bills.items():
            billed_by[models[number]] += bill[figure] * (number in sure)
        for model, billed in billed_by.items():
            if billed > charged_by[model]:
                yield f"{model}: {billed} {figure} billed, {charged_by[model]} charged"


def overbilled(history: History) -> Iterable[str]:
    """No strict budget is exceeded by a token of what upstreams billed, whatever the ledger has."""
    bills = _bills(history)
    counted = bills.keys() & _sure(history)
    for key, limits in history.setup["limits"].items():
        own = [each["number"] for each in history.of("sent") if not key or each["key"] == key]
        for limit in limits:
            if limit["per"] == "ever" and limit["what"].endswith("tokens") and limit["mode"] == "strict":
                billed = sum(amount(bills[number], limit["what"]) for number in own if number in counted)
                print(f"{limit['id']}: {billed} of {limit['max']} billed")
                if billed > limit["max"]:
                    yield f"{limit['id']}: {billed} of {limit['max']} billed"


def _bills(history: History) -> dict[int, Json]:
    """What all attempts of each request were billed."""
    bills: dict[int, Json] = {}
    for each in history.of("upstream"):
        bill = bills.setdefault(each["number"], dict.fromkeys(TOKENS, 0))
        for figure in TOKENS:
            bill[figure] += each["billed"][figure]
    return bills


def _sure(history: History) -> set[int]:
    """Requests of which no failover can have forgotten anything."""
    losses = _losses(history)
    sent = {each["number"]: each["at"] for each in history.of("sent")}
    unsure = {
        each["number"] for each in history.of("upstream") if _within(each["began"], losses, LOSS_SECONDS)
    }
    return {number for number, at in sent.items() if not _within(at, losses, LOSS_SECONDS)} - unsure


def _doubly_lost(history: History) -> set[int]:
    """Requests that ended shortly before a failover, and a worker was killed that may have verified them."""
    losses, kills = _losses(history), history.moments("kill_worker")
    return {
        heard["number"]
        for heard in history.of("heard")
        if _within(heard["at"], losses, LOSS_SECONDS)
        and any(heard["at"] <= began <= _verified_at(history, heard["at"]) for began, _ in kills)
    }


def _verified_at(history: History, ended: float) -> float:
    """Return when the settlement of a request that ended then is certainly verified."""
    verified = ended + VERIFIED_SECONDS
    for began, back in sorted(history.moments("pause", "fail_over", "cut_off", "restart")):
        if ended + LOOK_UP_SECONDS <= back and began <= verified:
            verified = max(verified, back) + LOOK_UP_SECONDS
    return verified


def forgotten(history: History, rows: list[Json]) -> Iterable[str]:
    """Admissions that the store forgot were made shortly before a failover."""
    losses = _losses(history)
    for row in rows:
        if "unheld" in row and not _within(row["at_ms"] / 1000, losses, LOSS_SECONDS):
            yield f"{row['id']}: its admission was forgotten without a failover"


def memory(history: History) -> Iterable[str]:
    """A long run ends with what it had after five minutes; a short one does not grow for long."""
    samples = [(each["at"], each["mib"]) for each in history.of("memory")]
    begun, ended = samples[0][0], samples[-1][0]
    if ended - begun >= LONG_RUN_SECONDS:
        early = median(mib for at, mib in samples if -60 < at - begun - WARM_SECONDS < 60)
        late = median(mib for at, mib in samples if at > ended - 10)
        print(f"memory: {early:.1f} MiB after five minutes, {late:.1f} at the end")
        if late > early * MAX_GROWN:
            yield f"memory grew from {early:.1f} to {late:.1f} MiB"
        return
    warm = [(at, mib) for at, mib in samples if at > (begun + ended) / 2]
    if len(warm) > 2:
        grown = linear_regression(*zip(*warm, strict=True)).slope * (ended - begun) / 2
        print(f"memory: {samples[-1][1]:.1f} MiB at the end, {grown:+.1f} in the second half")
        if grown > NOISE_MIB:
            yield f"memory grew by {grown:.1f} MiB in half of the run"


def outlived(history: History) -> Iterable[str]:
    """What the idle workers hold at every look."""
    (idle,), (after,) = history.of("idle"), history.of("after")
    for what in ("greenlets", "client sockets"):
        if after[what] > idle[what]:
            yield f"{after[what]} {what} in one worker, {idle[what]} before"


def _losses(history: History) -> list[tuple[float, float]]:
    return [(began - STOOD_STILL_SECONDS, ended) for began, ended in history.moments("fail_over", "cut_off")]


def _within(at: float, moments: list[tuple[float, float]], slack_seconds: float) -> bool:
    return any(began - slack_seconds <= at <= ended + slack_seconds for began, ended in moments)


def of_store(client: Any, history: History, rows: list[Json]) -> list[str]:
    """Return where the counters differ from *rows*, and reservations without a request."""
    pool = history.setup["pool"]
    left = client.zcard(keys.leases(pool))
    leases = [f"{left} leases left"] if left else []
    return leases + counter_mismatches(client, pool, history.setup["limits"], history.setup["accounts"], rows)


def reply(history: History, rows: list[Json]) -> str:
    heard = list(history.of("heard"))
    outcomes = Counter(each["error"] or ("finished" if each["finished"] else "broken") for each in heard)
    troubles = Counter(each["what"] for each in history.of("trouble"))
    return (
        f"{sum(1 for _ in history.of('sent'))} requests: {dict(outcomes)}\n{dict(troubles)}\n"
        f"{len(rows)} rows, {sum('unheld' in row for row in rows)} of admissions that a failover forgot: "
        f"{dict(Counter(row['source'] for row in rows))}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.check")
    parser.add_argument("history", type=Path)
    parser.add_argument("--redis", required=True, metavar="URL")
    arguments = parser.parse_args()
    history = History.read(arguments.history)
    client = make_client(arguments.redis, 10.0)
    rows = list(ledger(client, history.setup["pool"]))
    print(reply(history, rows))
    found = faults(history, rows) + of_store(client, history, rows)
    for fault in found[:MAX_FAULTS]:
        print("WRONG:", fault)
    if len(found) > MAX_FAULTS:
        print(f"WRONG: and {len(found) - MAX_FAULTS} more")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
