"""What must hold after a case, and after a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from app.api.idempotency import REPLAYED
from app.ledger.verify import Verification
from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.scripts import Scripts
from tests.fuzz.case import ANNOUNCED, Case, Json
from tests.fuzz.ordinary import HONEST
from tests.fuzz.stage import Heard, Outcome
from tests.support.audit import amount, unbalanced
from tests.support.heartbeat import reference_seconds

LONGEST_TURN_SECONDS = 0.25  # on an idle machine
LONGEST_TURN = 2.0  # times the reference work, which measures how busy the machine is
MAX_BYTES_OF_A_CASE = 128 * 1024  # in Redis: rows, roll-ups, refusals, accounts, a key, its limits
BILLED = ("input_tokens", "output_tokens")
ATTENTION = ("credential_dead", "paused")
OWN = "server_error"  # no scripted upstream sends that
ENDS = ("response.completed", "response.incomplete", "response.failed", "error")


def faults(outcome: Outcome) -> list[str]:
    """Return what must not have been, in words."""
    return [
        *(
            f"call {number}: {fault}"
            for number, heard in enumerate(outcome.heard)
            if not (heard.broken and is_cut_short(outcome.case, heard))
            for fault in response(heard)
        ),
        *logged(outcome.log),
        *late(outcome.turns),
        *left_over(outcome),
        *counter_mismatches(outcome),
        *limits(outcome),
        *attention(outcome),
        *memory(outcome),
    ]


def is_cut_short(case: Case, heard: Heard) -> bool:
    """Return whether what passes through has to break off: the upstream sent less than it announced."""
    announced = (str(play.steps.get("headers", {}).get("content-length", "")) for play in case.plays)
    return heard.status == 200 and not heard.call.endpoint and ANNOUNCED in announced


def response(heard: Heard) -> Iterator[str]:
    """No failure of ours; what the upstream failed with is in the envelope, and a stream ends."""
    if heard.call.leaves:
        return
    if heard.broken or not heard.status:
        yield f"the answer broke: {heard.status} {heard.broken}"
        return
    if heard.status >= 400:
        yield from envelope(heard)
    elif heard.headers.get("content-type", "").startswith("text/event-stream"):
        yield from stream(heard)
    elif heard.call.method == "POST" and heard.call.endpoint:
        try:
            body = orjson.loads(heard.body)
        except ValueError:
            yield f"{heard.status} with a body that is not JSON: {heard.body[:200]!r}"
            return
        if not isinstance(body, dict):
            yield f"{heard.status} with {body!r}"


def envelope(heard: Heard) -> Iterator[str]:
    try:
        body = orjson.loads(heard.body)
        error = body["error"]
        well = isinstance(error["message"], str) and isinstance(error["type"], str) and "code" in error
    except (ValueError, KeyError, TypeError):
        well = False
    if not well:
        yield f"{heard.status} outside the envelope: {heard.body[:200]!r}"
    elif error["code"] == OWN:
        yield f"a failure of ours: {heard.status} {error['message'][:200]}"


def stream(heard: Heard) -> Iterator[str]:
    try:
        text = heard.body.decode()
    except UnicodeDecodeError:
        yield f"a stream that is not UTF-8: {heard.body[-200:]!r}"
        return
    if f'"code":"{OWN}"' in text:
        yield f"a failure of ours: {text[-300:]!r}"
    if text and not text.endswith("\n\n"):
        yield f"a stream that ends inside an event: {text[-200:]!r}"
    events: list[Any] = []
    for line in text.split("\n"):
        if line.startswith("data: ") and line != "data: [DONE]":
            try:
                events.append(orjson.loads(line[6:]))
            except ValueError:
                yield f"an event that is not JSON: {line[:200]!r}"
                return
    if not heard.call.endpoint:
        return
    if heard.call.endpoint == "chat":
        failed = any(isinstance(each, dict) and "error" in each for each in events)
        if "data: [DONE]" not in text and not failed:
            yield f"a stream without an end: {text[-200:]!r}"
    elif not any(isinstance(each, dict) and each.get("type") in ENDS for each in events):
        yield f"a stream without an end: {text[-200:]!r}"


def logged(log: list[Json]) -> Iterator[str]:
    """No error and no traceback. (Other cases' lines may be among these: see `tests.fuzz.run`.)"""
    for line in log:
        if line.get("level") in ("error", "critical") or "Traceback" in line.get("text", ""):
            yield f"in the log: {orjson.dumps(line).decode()[:1500]}"


def late(turns: list[Json]) -> Iterator[str]:
    longest = max((turn["seconds"] for turn in turns), default=0.0)
    if longest > LONGEST_TURN_SECONDS and longest > LONGEST_TURN * reference_seconds():
        yield f"a turn of the event loop of {longest:.3f} s"


def left_over(outcome: Outcome) -> Iterator[str]:
    pool, client = outcome.pool, outcome.pool._client
    if not outcome.settled:
        yield f"{pool.open_leases()} leases and {pool.open_requests()} requests left"
    if in_flight := pool.in_flight():
        yield f"{in_flight} slots taken"
    for limit in outcome.limits:
        if held := int(client.hget(keys.limit(pool.name, limit["id"]), "h") or 0):
            yield f"{limit['what']}: {held} held"


def counter_mismatches(outcome: Outcome) -> Iterator[str]:
    """One row for each request that reached an upstream; totals are what the rows come to."""
    pool = outcome.pool
    rows = pool.rows()
    yield from unbalanced(rows)
    by_id = {row["id"]: row for row in rows}
    for number, heard in enumerate(outcome.heard):
        if REPLAYED in heard.headers:  # it has the id of the first request, and no row
            continue
        row = by_id.pop(heard.request_id or "", None)
        if row is not None:
            yield from (f"call {number}: {fault}" for fault in billed(outcome, heard, row))
        elif heard.seen or (heard.call.method == "POST" and heard.status == 200):
            yield f"call {number}: no row for {heard.request_id}, which {len(heard.seen)} upstreams served"
    for row in by_id.values():
        yield f"a row for no answer: {row}"
    for difference in Verification(LedgerRepository(Scripts(pool._client)), pool.name).differences():
        yield f"the ledger does not balance: {difference}"


def billed(outcome: Outcome, heard: Heard, row: Json) -> Iterator[str]:
    """
    What an upstream reported at the end of an honest answer is recorded token for token.

    What was billed without a report is within what strict limits are charged.
    """
    honest = not heard.call.leaves and all(each.play == HONEST["play"] for each in heard.seen)
    for figure in ("input_tokens", "output_tokens"):
        bill, recorded = sum(each.billed[figure] for each in heard.seen), amount(row, figure)
        if honest and heard.status == 200 and bill != row[figure]:
            yield f"{figure}: {bill} billed, booked {row}"
        if outcome.case.key == "strict" and _unreported(row) and recorded < bill:
            yield f"{figure}: {bill} billed, at most {recorded} charged: {row}"


def _unreported(row: Json) -> bool:
    """Whether no attempt of *row* reported what it used."""
    answered_after_failures = row.get("unreported") == "failed" and "failure" not in row["attempts"][-1]
    return "unreported" in row and not answered_after_failures


def limits(outcome: Outcome) -> Iterator[str]:
    """A limit's counter is what the rows come to; no strict one is exceeded by a token of the bill."""
    rows, client = outcome.pool.rows(), outcome.pool._client
    bill = sum(each.billed[name] for heard in outcome.heard for each in heard.seen for name in BILLED)
    for limit in outcome.limits:
        if limit["per"] != "ever":
            continue
        settled = int(client.hget(keys.limit(outcome.pool.name, limit["id"]), "s") or 0)
        recorded = sum(amount(row, limit["what"], limit["mode"]) for row in rows)
        if settled != recorded:
            yield f"{limit['what']}: {settled} settled, {recorded} in the rows {rows}"
        if limit["mode"] == "strict" and limit["what"] == "total_tokens" and bill > limit["max"]:
            yield f"{bill} tokens billed under {limit['max']}: {rows}"


def attention(outcome: Outcome) -> Iterator[str]:
    if outcome.case.nonsense:
        for name, state in outcome.pool.states().items():
            if state in ATTENTION:
                yield f"account {name} is {state}"


def memory(outcome: Outcome) -> Iterator[str]:
    client = outcome.pool._client
    root = keys.root(outcome.pool.name)
    names = [
        each for each in client.scan_iter(f"{root}*", count=10_000) if not each.startswith(root + "idem:")
    ]
    used = sum(client.memory_usage(name) or 0 for name in names)
    if used > MAX_BYTES_OF_A_CASE:
        yield f"{used // 1024} KiB in Redis"
