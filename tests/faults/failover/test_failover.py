"""
The failover benchmark in CI: silences and the limits on them a seventh as long, all columns at once.

`python -m tests.faults.failover` has it at full length. The rests of accounts are not shortened, so
that back to back, where each scenario begins in the rest of the one before, only honesty is judged here.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.failover.__main__ import MIN_PASSES
from tests.faults.failover.bench import Bench, Setup, Verdict
from tests.faults.failover.scenarios import SCENARIOS, Pace
from tests.support.gateway import Gateway
from tests.support.upstream_client import ScriptedUpstream

CI_PACE = Pace(0.15)
SETUPS = (
    Setup("B", restart=True, row=True),
    Setup("B", restart=True),
    Setup("B", restart=False),
    Setup("B", restart=True, stream=False),
    Setup("G", restart=True),
    Setup("W", restart=False),
)


def less_than(column: dict[str, Verdict], *words: str) -> dict[str, Verdict]:
    return {name: verdict for name, verdict in column.items() if verdict.word not in words}


def faults(setup: Setup, column: dict[str, Verdict]) -> dict[str, Verdict]:
    """Return the verdicts that *setup* should not have: with restarts and a fallback everything passes."""
    if setup.topology == "B" and not setup.row:
        return less_than(column, "pass") if setup.restart else less_than(column, "pass", "partial", "safe")
    lies = {"a hang", "a truncated answer is shown as whole"}
    return {name: verdict for name, verdict in column.items() if lies & set(verdict.remarks)}


@pytest.mark.timeout(300)
def test_the_benchmark_reaches_its_goal(gateway: Gateway, upstream_process: ScriptedUpstream) -> None:
    """One test, so that its columns are run once and side by side: most of their time is waiting."""
    bench = Bench(gateway, upstream_process, CI_PACE)
    with ThreadPoolExecutor(len(SETUPS)) as runners:
        columns = list(runners.map(lambda setup: bench.column(setup, SCENARIOS), SETUPS))

    found = {str(setup): faults(setup, column) for setup, column in zip(SETUPS, columns, strict=True)}
    assert not {setup: wrong for setup, wrong in found.items() if wrong}
    for setup, column in zip(SETUPS, columns, strict=True):
        if setup.topology == "B" and not setup.row:
            assert len(less_than(column, "partial", "safe", "FAIL")) >= MIN_PASSES, setup
