"""What is measured. Every function returns figures by name; their units are in the names."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from tests.bench import store
from tests.bench.load import Running
from tests.bench.processes import resident_mib, starved_seconds
from tests.bench.responses import RESPONSES
from tests.bench.stage import DemoRequest, Server, Stage

Figures = dict[str, float]

SETTLED_SECONDS = 0.2  # after the last response its settlement is still on its way


@dataclass(frozen=True)
class Size:
    """How much of everything: a whole run, a quick one, or one that only shows that it works."""

    rounds: int = 5
    requests: int = 600
    large: int = 150
    bursts: int = 150
    streams: int = 500
    window_seconds: float = 6.0
    open_streams: int = 1000
    accounts: tuple[int, ...] = (10, 100, 1000)
    others: int = 500


COMPLETE = Size()
QUICK = Size(rounds=1, requests=300, large=80, bursts=40, window_seconds=2.5, open_streams=500)
TINY = Size(
    1, requests=4, large=2, bursts=2, streams=3, window_seconds=0.3, open_streams=3, accounts=(2,), others=2
)

SMALL = DemoRequest(stream=False)
LARGE = DemoRequest(stream=False, prompt_bytes=200_000)
ONE = DemoRequest()
FEW = DemoRequest(deltas=5)
BURSTS = {
    "chat": DemoRequest(deltas=200),
    "translated": DemoRequest(deltas=200, account_protocols=(RESPONSES,)),
    "responses": DemoRequest(wire=RESPONSES, deltas=200, account_protocols=(RESPONSES,)),
}
SLOW_PACE_MS = 100
OPENING_SECONDS = 2.0  # and 4 ms a stream: in these, all streams are open


def requests(
    server: Server, requested: DemoRequest, clients: int, count: int, redis: Stage | None = None
) -> Figures:
    """Return what one request costs and how long it takes, of *count* by so many clients."""
    before, redis_before = server.cpu_seconds(), redis.redis_seconds() if redis else 0.0
    sent_text = Running(server.load(requested, clients=clients, requests=count)).until("done")
    time.sleep(SETTLED_SECONDS)
    figures = {
        "cpu_ms": (server.cpu_seconds() - before) * 1000 / count,
        "per_second": count / sent_text["seconds"],
        "p50_ms": sent_text["whole"]["p50"],
        "p99_ms": sent_text["whole"]["p99"],
    }
    if redis:
        figures["redis_ms"] = (redis.redis_seconds() - redis_before) * 1000 / count
    return figures


def bursts(server: Server, requested: DemoRequest, count: int) -> Figures:
    """
    Return the cost of an event where 200 come at once: per event, in addition to the request's cost.

    What is on top: the difference to the same stream with one delta.
    """
    one = requests(server, replace(requested, deltas=1), 4, count)["cpu_ms"]
    all_of_it = requests(server, requested, 4, count)["cpu_ms"]
    return {
        "event_us": all_of_it * 1000 / requested.deltas,
        "more_us": (all_of_it - one) * 1000 / (requested.deltas - 1),
    }


def slow_streams(server: Server, size: Size, *, others: bool = True) -> Figures:
    """Return what streams of ten events a second cost, how late those are, and how others fare meanwhile."""
    seconds = OPENING_SECONDS + (2 if others else 1) * size.window_seconds + size.streams * 0.004
    requested = DemoRequest(deltas=int(seconds * 1000 / SLOW_PACE_MS), pace_ms=SLOW_PACE_MS)
    load = server.load(
        requested, clients=size.streams, requests=size.streams, window_seconds=size.window_seconds
    )
    running = Running(load)
    running.until("open")
    before, starved = server.cpu_seconds(), starved_seconds(server.pid)
    sent_text = running.until("watched")
    figures = {
        "event_us": (server.cpu_seconds() - before) * 1e6 / sent_text["events"],
        "lag_p50_ms": sent_text["lag"]["p50"],
        "lag_p99_ms": sent_text["lag"]["p99"],
        "starved_percent": (starved_seconds(server.pid) - starved) * 100 / sent_text["seconds"],
    }
    if others:
        other = Running(server.load(ONE, clients=1, requests=max(3, size.requests // 3))).until("done")
        figures["others_first_p99_ms"] = other["first"]["p99"]
    running.until("done")
    return figures


def growth(server: Server, size: Size) -> Figures:
    """Return what a small request costs in a pool with many of everything, compared with a small pool."""
    grown = replace(SMALL, accounts=max(size.accounts), others=size.others)
    ratios = []
    for requested in (SMALL, grown):
        requests(server, requested, 4, max(4, size.requests // 10))
    for _ in range(size.rounds):
        small, large = (requests(server, each, 4, size.requests)["cpu_ms"] for each in (SMALL, grown))
        ratios.append(large / small)
    return {"growth_percent": round((median(ratios) - 1) * 100, 1)}


def memory(server: Server, size: Size) -> Figures:
    """Return what a worker takes: idle, and for each thousand open streams. For a fresh server."""
    requests(server, ONE, 1, max(2, size.requests // 20))
    idle = [resident_mib(worker) for worker in server.workers()]
    requested = DemoRequest(deltas=3 + size.open_streams // 200, pace_ms=1000)
    load = server.load(requested, clients=size.open_streams, requests=size.open_streams, window_seconds=0.5)
    running = Running(load)
    running.until("watched")
    grown = sum(resident_mib(worker) for worker in server.workers()) - sum(idle)
    running.until("done")
    return {"idle_worker_mib": max(idle), "mib_per_1000_streams": grown * 1000 / size.open_streams}


def middle(rounds: list[Figures]) -> Figures:
    """Return the median of each figure."""
    return {name: round(median(figures[name] for figures in rounds), 4) for name in rounds[0]}


def everything(stage: Stage, size: Size) -> dict[str, Any]:
    """Return all figures; rounds are interleaved, so that what disturbs one disturbs all."""
    figures: dict[str, Any] = {
        "memory": memory(stage.one, size),
        "store": store.figures(stage.one, size.accounts, size.requests),
        "growth": growth(stage.one, size),
    }
    collected: dict[str, list[Figures]] = defaultdict(list)
    for server in (stage.two, *stage.everybody()):
        requests(server, SMALL, 4, max(4, size.requests // 10))
    for _ in range(size.rounds):
        for server in stage.everybody():
            collected[f"small_1 {server.name}"].append(requests(server, SMALL, 1, size.requests, stage))
            collected[f"small_32 {server.name}"].append(requests(server, SMALL, 32, size.requests, stage))
            collected[f"stream_5 {server.name}"].append(requests(server, FEW, 16, size.requests, stage))
            collected[f"large {server.name}"].append(requests(server, LARGE, 1, size.large))
            for name, requested in BURSTS.items():
                if server is stage.one or name != "translated":
                    collected[f"burst_{name} {server.name}"].append(bursts(server, requested, size.bursts))
        collected["small_32 w2"].append(requests(stage.two, SMALL, 32, size.requests))
    for server in stage.everybody():
        collected[f"slow {server.name}"].append(slow_streams(server, size, others=server is stage.one))
    return figures | {name: middle(rounds) for name, rounds in collected.items()}
