"""
Measure WebSocket connections of one worker: `python -m tests.bench.websocket [--idle N] [--active N]`.

What an idle one takes, before and after a response, and how late events are while others are idle. They are
late as well where other programs had the CPU: `starved_percent` of the time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any

import orjson

from tests.bench.load import SocketLoad
from tests.bench.processes import cpu_seconds, resident_mib, starved_seconds
from tests.bench.responses import MODEL
from tests.bench.stage import ROOT, DemoRequest, Server, stage

PACE_MS = 100
TARGETS = {"kb_connected": 80, "kb_after_a_response": 80, "lag_p99_ms": 10}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure WebSocket connections of one worker.")
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--active", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    settings = {"POOLGATE_WEBSOCKET": "on", "POOLGATE_WEBSOCKETS_PER_KEY": "100000"}
    with stage(**settings) as standing:
        figures = measured(standing.one, options.idle, options.active, options.seconds)
    for name, value in figures.items():
        print(f"{name:24} {value:10.2f}", f"target {TARGETS[name]}" if name in TARGETS else "")


def measured(server: Server, idle: int, active: int, seconds: float) -> dict[str, float]:
    """Return the figures of *idle* and *active* connections, the latter watched for *seconds*."""
    quick = server.load(DemoRequest("responses", account_protocols=("responses",), deltas=5))
    slow = server.load(
        DemoRequest("responses", account_protocols=("responses",), deltas=200, pace_ms=PACE_MS)
    )
    load = SocketLoad(server.port, quick.key, slow.key, MODEL, idle, active, seconds)
    (worker,) = server.workers()
    command = [sys.executable, "-m", "tests.bench.websocket_clients"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as clients:
        assert clients.stdin is not None
        assert clients.stdout is not None

        def next_report(line: bytes = b"") -> dict[str, Any]:
            clients.stdin.write(line + b"\n")
            clients.stdin.flush()
            report: dict[str, Any] = orjson.loads(clients.stdout.readline())
            return report

        memory = {}
        report = next_report(orjson.dumps(asdict(load)))
        while report["moment"] != "watched":
            memory[report["moment"]] = resident_mib(worker)
            began, used, starved = time.monotonic(), cpu_seconds(worker), starved_seconds(worker)
            report = next_report()
        seconds = time.monotonic() - began
        used, starved = cpu_seconds(worker) - used, starved_seconds(worker) - starved
        clients.kill()
    return {
        "kb_connected": (memory["connected"] - memory["begun"]) * 1024 / idle,
        "kb_after_a_response": (memory["idle"] - memory["begun"]) * 1024 / idle,
        "lag_p50_ms": report["lag"]["p50"],
        "lag_p99_ms": report["lag"]["p99"],
        "events_per_second": report["events"] / seconds,
        "event_us": used * 1e6 / report["events"],
        "starved_percent": starved * 100 / seconds,
    }


if __name__ == "__main__":
    main()
