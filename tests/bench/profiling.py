"""Where a worker's CPU time goes, by function; sampled by the worker itself, see `profiled`."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

from tests.bench.load import Running
from tests.bench.scenarios import BURSTS, LARGE, SLOW_PACE_MS, SMALL
from tests.bench.stage import DemoRequest, Server
from tests.support.processes import eventually

SHOWN = 60
ENVIRONMENT = {"GUNICORN_CMD_ARGS": "-c tests/bench/profiled.py"}
SCENARIOS = {
    "small": (SMALL, 32),
    "large": (LARGE, 4),
    **{f"burst_{name}": (requested, 4) for name, requested in BURSTS.items()},
    "slow": (DemoRequest(deltas=10**6, pace_ms=SLOW_PACE_MS), 300),
}


def profile(server: Server, scenario: str, seconds: int) -> str:
    """Return the functions in which *scenario* spends most, by themselves and with what they call."""
    requested, clients = SCENARIOS[scenario]
    load = server.load(requested, clients=clients, requests=10**9, window_seconds=requested.pace_ms * 1.0)
    with Running(load):
        time.sleep(5 if requested.pace_ms else 2)  # everything is open, every cache is warm
        _stacks(server)
        time.sleep(seconds)
        return summary(_stacks(server))


def _stacks(server: Server) -> str:
    """Return what the worker has sampled since the last call."""
    written = server.home / "stacks"
    written.unlink(missing_ok=True)
    os.kill(server.workers()[0], signal.SIGUSR2)
    assert eventually(written.exists)
    return Path(written).read_text()


def summary(stacks: str) -> str:
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        names = stack.split(";")
        own[names[0]] += int(count)
        for name in set(names):
            total[name] += int(count)
    samples = own.total()
    lines = [f"{samples} samples", f"{'itself':>8}{'with what it calls':>20}"]
    for name in sorted(total, key=lambda name: -max(own[name] * 3, total[name]))[:SHOWN]:
        lines.append(f"{own[name] / samples:8.1%}{total[name] / samples:20.1%}  {name}")
    return "\n".join(lines)
