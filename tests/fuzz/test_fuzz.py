"""The short form of `python -m tests.fuzz`: the same cases every time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.run import OPERATORS, RELAY, Run
from tests.fuzz.stage import Stage, running_stage

SEED = 1
CASES = {RELAY: 80, OPERATORS: 12}  # of each kind
MAX_SECONDS = 25.0  # fewer cases then, where the machine is busy


@pytest.fixture
def stage(redis_url: str, tmp_path: Path) -> Iterator[Stage]:
    with running_stage(redis_url, tmp_path) as stage:
        yield stage


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kinds", list(CASES), ids=["relay", "operators"])
def test_nothing_breaks_the_gateway_or_its_ledger(stage: Stage, kinds: tuple[str, ...]) -> None:
    run = Run(stage, SEED, kinds)

    run.until(time.monotonic() + MAX_SECONDS, most=CASES[kinds])

    commands = [f'python -m tests.fuzz --seed {SEED} --only "{case.name}"' for case, _ in run.report.wrong]
    assert not run.report.wrong, [commands, run.report.wrong]
    assert run.grown() == []
    assert stage.dead_letters() == []
    assert min(run.report.cases.values()) > 0
