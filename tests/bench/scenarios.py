"""
What is measured. Every function returns figures by name; their units are in the names.

CPU times are those of the cheapest of many short slices, taken in turns among the servers. On a machine with
neighbours the same work takes up to twice the CPU time while a neighbour uses the other thread of its core,
which lasts for some tenths of a second. A slice without that is reproducible to 3 %, a median is not.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, NamedTuple

from tests.bench import store
from tests.bench.load import Running, run
from tests.bench.processes import resident_mib, starved_seconds
from tests.bench.responses import RESPONSES
from tests.bench.stage import DemoRequest, Server, Stage

Figures = dict[str, float]

SETTLED_SECONDS = 0.1  # after the last response its settlement is still on its way


@dataclass(frozen=True)
class Size:
    """How much of everything: a whole run, a quick one, or one that only shows that it works."""

    slices: int = 24
    requests: int = 120  # a slice
    large: int = 60
    bursts: int = 40
    streams: int = 500
    windows: int = 12  # slices of slow streams
    window_seconds: float = 0.5
    open_streams: int = 1000
    accounts: tuple[int, ...] = (10, 100, 1000)
    others: int = 500


COMPLETE = Size()
QUICK = Size(slices=3, requests=100, large=40, bursts=20, streams=300, windows=4, open_streams=500)
TINY = Size(
    *(1, 4, 2, 2),
    streams=3,
    windows=1,
    window_seconds=0.3,
    open_streams=3,
    accounts=(2,),
    others=2,
)


class Target(NamedTuple):
    """What clients send in a slice, and where."""

    server: Server
    requested: DemoRequest


SMALL = DemoRequest(stream=False)
LARGE = DemoRequest(stream=False, prompt_bytes=200_000)
ONE = DemoRequest()
FEW = DemoRequest(deltas=5)
BURSTS = {
    "chat": DemoRequest(deltas=200),
    "translated": DemoRequest(deltas=200, account_protocols=(RESPONSES,)),
    "responses": DemoRequest(wire=RESPONSES, deltas=200, account_protocols=(RESPONSES,)),
}
REQUESTS = {"small_1": (SMALL, 1), "small_32": (SMALL, 32), "stream_5": (FEW, 16), "large": (LARGE, 1)}
CPU = ("cpu_ms", "redis_ms")
SLOW_PACE_MS = 100
OPENING_SECONDS = 2.0  # and 4 ms a stream: in these, all streams are open


def requests(
    server: Server, requested: DemoRequest, clients: int, count: int, redis: Stage | None = None
) -> Figures:
    """Return what one request costs and how long it takes, of *count* by so many clients."""
    return slices({"": Target(server, requested)}, clients, count, 1, redis)[""]


def slices(
    targets: Mapping[str, Target], clients: int, count: int, times: int, redis: Stage | None = None
) -> dict[str, Figures]:
    """Return, for each of *targets*, what one request costs and how long it takes, of slices of *count*."""
    collected: dict[str, list[Figures]] = defaultdict(list)
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(Running(server.load(requested, clients=clients, requests=count)))
            for name, (server, requested) in targets.items()
        }
        for each in running.values():
            each.until("done")  # connections are open, and caches are filled
        time.sleep(SETTLED_SECONDS)
        for _ in range(times):
            for name, (server, _) in targets.items():
                collected[name].append(_slice(server, running[name], count, redis))
    return {name: summary(figures) for name, figures in collected.items()}


def _slice(server: Server, running: Running, count: int, redis: Stage | None) -> Figures:
    before, redis_before = server.cpu_seconds(), redis.redis_seconds() if redis else 0.0
    running.start()
    report = running.until("done")
    time.sleep(SETTLED_SECONDS)
    figures = {
        "cpu_ms": (server.cpu_seconds() - before) * 1000 / count,
        "per_second": count / report["seconds"],
        "p50_ms": report["whole"]["p50"],
        "p99_ms": report["whole"]["p99"],
    }
    if redis:
        figures["redis_ms"] = (redis.redis_seconds() - redis_before) * 1000 / count
    return figures


def summary(slices: Sequence[Figures]) -> Figures:
    """Return the lowest CPU time of *slices*, and the median of every other figure."""
    return {
        name: round((min if name in CPU else median)(figures[name] for figures in slices), 4)
        for name in slices[0]
    }


def bursts(servers: Sequence[Server], requested: DemoRequest, size: Size) -> dict[str, Figures]:
    """
    Return what an event costs where 200 come at once, by server; `more_us` is without the request's share.

    That is the difference to the same stream with one delta.
    """
    one = replace(requested, deltas=1)
    targets = {server.name: Target(server, requested) for server in servers}
    targets |= {f"{server.name} one": Target(server, one) for server in servers}
    measured = slices(targets, 4, size.bursts, size.slices)
    figures = {}
    for server in servers:
        total = measured[server.name]["cpu_ms"] * 1000
        more = total - measured[f"{server.name} one"]["cpu_ms"] * 1000
        figures[server.name] = {
            "event_us": total / requested.deltas,
            "more_us": more / (requested.deltas - 1),
        }
    return figures


def slow_streams(server: Server, size: Size, *, others: bool = True) -> Figures:
    """Return what streams of ten events a second cost, how late those are, and how others fare meanwhile."""
    seconds = size.windows * size.window_seconds
    open_seconds = OPENING_SECONDS + (2 if others else 1) * seconds + size.streams * 0.004
    requested = DemoRequest(deltas=int(open_seconds * 1000 / SLOW_PACE_MS), pace_ms=SLOW_PACE_MS)
    load = server.load(requested, clients=size.streams, requests=size.streams)
    load.window_seconds, load.windows = size.window_seconds, size.windows
    with Running(load) as running:
        running.until("open")
        starved, windows = starved_seconds(server.pid), []
        for _ in range(size.windows):
            before = server.cpu_seconds()
            events = running.until("window")["events"]
            windows.append((server.cpu_seconds() - before) * 1e6 / events)
        report = running.until("watched")
        figures = {
            "event_us": min(windows),
            "lag_p50_ms": report["lag"]["p50"],
            "lag_p99_ms": report["lag"]["p99"],
            "starved_percent": (starved_seconds(server.pid) - starved) * 100 / report["seconds"],
        }
        if others:
            other = run(server.load(ONE, clients=1, requests=max(3, size.requests // 3)))
            figures["others_first_p99_ms"] = other["first"]["p99"]
        running.until("done")
    return figures


def growth(server: Server, size: Size) -> Figures:
    """Return what a small request costs in a pool with many of everything, compared with a small pool."""
    grown = replace(SMALL, accounts=max(size.accounts), others=size.others)
    targets = {"small": Target(server, SMALL), "grown": Target(server, grown)}
    measured = slices(targets, 4, size.requests, size.slices)
    return {"growth_percent": round((measured["grown"]["cpu_ms"] / measured["small"]["cpu_ms"] - 1) * 100, 1)}


def memory(server: Server, size: Size) -> Figures:
    """Return what a worker takes: idle, and for each thousand open streams. For a fresh server."""
    requests(server, ONE, 1, max(2, size.requests // 20))
    idle = [resident_mib(worker) for worker in server.workers()]
    requested = DemoRequest(deltas=3 + size.open_streams // 200, pace_ms=1000)
    load = server.load(requested, clients=size.open_streams, requests=size.open_streams, window_seconds=0.5)
    with Running(load) as running:
        running.until("watched")
        grown = sum(resident_mib(worker) for worker in server.workers()) - sum(idle)
        running.until("done")
    return {"idle_worker_mib": max(idle), "mib_per_1000_streams": grown * 1000 / size.open_streams}


def everything(stage: Stage, size: Size) -> dict[str, Any]:
    """Return all figures, by scenario and server."""
    figures: dict[str, Any] = {
        "memory": memory(stage.one, size),
        "store": store.figures(stage.one, size.accounts, 5 * size.requests),
        "growth": growth(stage.one, size),
    }
    others = {"small_1": stage.direct, "small_32": stage.two}
    for name, (requested, clients) in REQUESTS.items():
        servers = [*stage.compared(), *([others[name]] if name in others else [])]
        targets = {server.name: Target(server, requested) for server in servers}
        count = size.large if requested is LARGE else size.requests
        measured = slices(targets, clients, count, size.slices, stage)
        figures |= {f"{name} {server}": each for server, each in measured.items()}
    for name, requested in BURSTS.items():
        servers = [
            server
            for server in stage.compared()
            if server is stage.one or (server is stage.nginx and name != "translated")
        ]
        figures |= {f"burst_{name} {key}": each for key, each in bursts(servers, requested, size).items()}
    for server in stage.compared():
        figures[f"slow {server.name}"] = slow_streams(server, size, others=server is stage.one)
    return figures
