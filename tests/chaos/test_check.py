"""A judge that could not convict would be worth nothing: each of these histories has one thing wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.check import LOSS_SECONDS, UNSERVED_SECONDS, faults
from tests.chaos.history import History
from tests.support.store import limit

TEXT = "All of it."
AT = 1_800_000_000.0
REQUESTS = 40
BILL = {"input_tokens": 1, "output_tokens": 1}

Json = dict[str, Any]


def entry(kind: str, at: float = 0.0, **fields: Any) -> Json:
    return {"at": AT + at, "kind": kind, **fields}


def heard(number: int, at: float, **fields: Any) -> Json:
    usual = {"id": f"req_{number}", "status": 200, "finished": True, "error": None, "text": TEXT}
    return entry("heard", at, number=number, **{**usual, "whole": True, "faults": [], **fields})


def honest() -> tuple[list[Json], list[Json]]:
    """A history, and its ledger: one request a second, each of half a second."""
    setup = {"pool": "p", "text": TEXT, "seed": 1, "accounts": ["a"]}
    limits = {"k": [limit("n", "requests", "ever", REQUESTS), limit("one", "parallel_requests", "none", 1)]}
    limits["k"].append(limit("t", "total_tokens", "ever", 3 * REQUESTS))
    entries = [entry("setup", **setup, limits=limits), entry("idle", **{"greenlets": 3, "client sockets": 0})]
    rows = []
    for number in range(REQUESTS):
        sent = {"key": "k", "model": "m", "endpoint": "chat", "stream": True}
        entries.append(entry("sent", number, number=number, **sent))
        served = {"account": "a", "began": AT + number, "end": "finished", "billed": dict(BILL)}
        entries.append(entry("upstream", number + 0.5, number=number, **served))
        entries.append(heard(number, number + 0.5))
        entries.append(entry("memory", number, of=7, mib=70.0))
        at_ms = int((AT + number) * 1000)
        row = {"id": f"req_{number}", "key": "k", "model": "m", "source": "upstream", "at_ms": at_ms}
        rows.append({**row, "ended_ms": at_ms + 500, "input_tokens": 1, "output_tokens": 1})
    entries.append(entry("after", REQUESTS, **{"greenlets": 3, "client sockets": 0}))
    return entries, rows


class Doctored:
    def __init__(self) -> None:
        self.entries, self.rows = honest()

    def first(self, kind: str, number: int = 0) -> Json:
        return [each for each in self.entries if each["kind"] == kind][number]

    def trouble(self, what: str, began: float, ended: float) -> None:
        self.entries.append(entry("trouble", ended, what=what, began=AT + began))

    def faults(self) -> list[str]:
        return faults(History(self.entries), self.rows)


@pytest.fixture
def run() -> Doctored:
    return Doctored()


def test_an_honest_run(run: Doctored) -> None:
    assert run.faults() == []


@pytest.mark.parametrize(
    ("lie", "reply"),
    [
        ({"text": TEXT[:4]}, "a false finish"),
        ({"finished": False, "error": "stream_incomplete", "text": "Something else"}, "heard 'Something"),
        ({"finished": False, "text": "", "faults": ["not as the wire has it"]}, "not as the wire"),
        ({"whole": False, "finished": False, "text": ""}, "no worker was killed"),
        ({"status": 500, "finished": False, "error": "server_error", "text": ""}, "a failure of ours"),
        ({"id": "req_of_nobody"}, "no row for req_of_nobody"),
    ],
)
def test_a_response_that_must_not_be(run: Doctored, lie: Json, reply: str) -> None:
    run.first("heard", 5).update(lie)

    assert [fault for fault in run.faults() if reply in fault]


def test_a_connection_breaks_with_its_worker(run: Doctored) -> None:
    run.first("heard", 5).update({"whole": False, "finished": False, "text": "", "faults": ["broke"]})
    run.trouble("kill_worker", 5.2, 5.2)

    assert run.faults() == []


def test_a_lost_row(run: Doctored) -> None:
    del run.rows[5]

    assert run.faults()[:2] == ["request 5: no row for req_5", "m: 39 rows, 40 sent, 40 for sure"]


def test_a_lost_row_of_a_client_that_left(run: Doctored) -> None:
    """It got no id; but its upstream was reached, so some key has to be charged."""
    run.entries.remove(run.first("heard", 5))
    del run.rows[5]

    assert run.faults()[0] == "m: 39 rows, 40 sent, 40 for sure"


def test_a_doubled_row(run: Doctored) -> None:
    run.rows.append(dict(run.rows[5]))

    assert "req_5: rows ['upstream', 'upstream']" in run.faults()


def test_a_row_without_a_request(run: Doctored) -> None:
    run.rows.append({**run.rows[5], "id": "req_of_nobody", "key": "another"})

    assert run.faults() == ["m: 41 rows, 40 sent, 40 for sure"]


def test_one_unit_too_many(run: Doctored) -> None:
    run.first("setup")["limits"]["k"][0]["max"] = REQUESTS - 1

    assert run.faults() == [f"n: {REQUESTS} of {REQUESTS - 1}"]


def test_two_at_once_where_one_may(run: Doctored) -> None:
    run.rows[5]["ended_ms"] += 600

    assert run.faults() == ["one: 2 at once, 1 allowed"]


@pytest.mark.parametrize(("failed_at", "wrong"), [(5.5, False), (30.0, True), (5.0 - 2 * LOSS_SECONDS, True)])
def test_a_failover_may_forget_what_was_last(run: Doctored, failed_at: float, wrong: bool) -> None:
    """One that was admitted then counts for no limit, and one that never came back has no row."""
    run.rows[5] |= {"unheld": True, "ended_ms": run.rows[5]["ended_ms"] + 600}
    del run.rows[6]
    run.entries.remove(run.first("heard", 6))
    run.trouble("fail_over", failed_at, failed_at)

    assert bool(run.faults()) == wrong


@pytest.mark.parametrize(
    ("failed_at", "killed_at", "wrong"),
    [(6.0, 9.0, False), (6.0, 20.0, True), (6.0, 5.0, True), (30.0, 9.0, True), (None, 9.0, True)],
)
def test_a_worker_that_is_killed_cannot_write_again_what_a_failover_lost(
    run: Doctored, failed_at: float | None, killed_at: float, wrong: bool
) -> None:
    del run.rows[5]
    if failed_at is not None:
        run.trouble("fail_over", failed_at, failed_at)
    run.trouble("kill_worker", killed_at, killed_at)

    assert ("request 5: no row for req_5" in run.faults()) == wrong


@pytest.mark.parametrize(("paused_until", "killed_at", "wrong"), [(15.0, 18.0, False), (9.0, 18.0, True)])
def test_a_worker_that_finds_the_store_away_looks_up_later_what_was_lost(
    run: Doctored, paused_until: float, killed_at: float, wrong: bool
) -> None:
    del run.rows[5]
    run.trouble("fail_over", 6.0, 6.0)
    run.trouble("pause", paused_until - 1.0, paused_until)
    run.trouble("kill_worker", killed_at, killed_at)

    assert ("request 5: no row for req_5" in run.faults()) == wrong


@pytest.mark.parametrize(
    ("billed", "row", "wrong"),
    [
        (2, {}, True),
        (0, {}, True),  # what was reported is what was billed
        (2, {"source": "estimated", "unreported_output_tokens": 1}, False),
        (0, {"source": "estimated", "unreported_output_tokens": 1}, False),
        (3, {"source": "estimated", "unreported_output_tokens": 1}, True),
    ],
)
def test_a_charge_against_its_bill(run: Doctored, billed: int, row: Json, wrong: bool) -> None:
    run.first("upstream", 5)["billed"]["output_tokens"] = billed
    run.rows[5] |= row

    assert bool([fault for fault in run.faults() if "request 5" in fault]) == wrong


def test_every_attempt_is_in_the_bill(run: Doctored) -> None:
    again = dict(run.first("upstream", 5))
    run.entries.append(again)

    assert "request 5: 2 input_tokens billed, 1 charged" in run.faults()


def test_a_bill_of_a_client_that_left(run: Doctored) -> None:
    """It got no id, but its model identifies it."""
    run.entries.remove(run.first("heard", 5))
    run.first("upstream", 5)["billed"]["input_tokens"] = 2

    assert run.faults() == [f"m: {REQUESTS + 1} input_tokens billed, {REQUESTS} charged"]


def test_a_budget_that_was_billed_beyond(run: Doctored) -> None:
    run.first("upstream", 5)["billed"]["input_tokens"] = 2 * REQUESTS

    assert f"t: {4 * REQUESTS - 1} of {3 * REQUESTS} billed" in run.faults()


def test_an_admission_is_not_forgotten_by_itself(run: Doctored) -> None:
    run.rows[5]["unheld"] = True

    assert run.faults() == ["req_5: its admission was forgotten without a failover"]


def test_no_request_is_served_for_long(run: Doctored) -> None:
    for each in run.entries[-20:]:
        each["at"] += UNSERVED_SECONDS + 5

    assert any(fault.startswith("no request was served for") for fault in run.faults())


def test_memory_of_a_short_run(run: Doctored) -> None:
    for each in run.entries:
        if each["kind"] == "memory":
            each["mib"] += each["at"] - AT

    assert any(fault.startswith("memory grew") for fault in run.faults())


@pytest.mark.parametrize(("late_mib", "wrong"), [(72.0, False), (76.0, True)])
def test_memory_of_a_long_run(run: Doctored, late_mib: float, wrong: bool) -> None:
    run.entries = [each for each in run.entries if each["kind"] != "memory"]
    for second in range(0, 1800, 2):
        early = second < 400
        run.entries.append(entry("memory", second, of=7, mib=70.0 if early else late_mib))

    assert bool(run.faults()) == wrong


@pytest.mark.parametrize("what", ["greenlets", "client sockets"])
def test_something_outlives_its_request(run: Doctored, what: str) -> None:
    run.first("after")[what] += 1

    assert len(run.faults()) == 1
