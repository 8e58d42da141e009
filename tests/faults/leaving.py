"""
Clients that leave at random moments, whatever their request is doing then.

    python -m tests.faults.leaving [--streams 10000]

Each has its own model name, which identifies it in the upstream's log. The
time from a client's leaving until its upstream has noticed is what is measured.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from threading import Event
from urllib.parse import urlsplit

import requests

from tests.faults.parts import running_parts
from tests.faults.responses import BODIES, PATHS, STALL, Json, rejected, saying
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream, Seen

CLIENTS = 30
STAY_SECONDS, STAY_PINGS = 0.5, 10  # at most, and so many small requests: else all leave before their attempt
MAX_P50_SECONDS, MAX_P99_SECONDS = 0.1, 1.0
MAX_RATIO = 3.0  # of the medians of leaving and pinging, where the machine is too busy for MAX_P50_SECONDS
GONE_SECONDS = MAX_P99_SECONDS  # what was on its way when its client left is not for an absent one
SETTLED_SECONDS = 10.0
PING_EVERY_SECONDS = 0.02
SLOW = saying("bad", at={str(place): [{"sleep": 0.1}] for place in range(6)})
PLAYS: tuple[Json, ...] = (
    SLOW,
    SLOW,
    saying("bad", at={"3": [STALL]}),
    {"before": [STALL]},
    rejected(503, headers={"retry-after": "1"}),
)


@dataclass(frozen=True, slots=True)
class Reported:
    streams: int
    upstreams: int  # that were open when their client left
    p50_seconds: float
    p99_seconds: float
    ping_seconds: float  # median of small requests to the gateway meanwhile: how busy the machine is
    late: int  # attempts that began when the client was gone
    open: int  # upstream calls, leases, slots and requests that are left
    unbooked: int  # requests that an upstream saw and the ledger does not know

    @property
    def well(self) -> bool:
        max_p50 = max(MAX_P50_SECONDS, MAX_RATIO * self.ping_seconds)
        in_time = self.p50_seconds <= max_p50 and self.p99_seconds <= MAX_P99_SECONDS
        return in_time and not self.late and not self.open and not self.unbooked


def leave(pool: PoolOfTest, upstream: ScriptedUpstream, streams: int, chance: random.Random) -> Reported:
    """Open *streams* streams, a few at a time, and leave each at a random moment."""
    for name in ("a", "b"):
        pool.account(name, upstream.base_url(name), protocols=("chat", "responses"), cap=1000)
    upstream.script(*PLAYS, repeat="cycle")
    key = pool.key()
    stays = [chance.random() for _ in range(streams)]
    with pings(pool.gateway.url) as ping_seconds, ThreadPoolExecutor(CLIENTS) as clients:

        def leave_one(number: int) -> float:
            longest = STAY_SECONDS + STAY_PINGS * sum(ping_seconds[-1:])
            return _leave(pool, key, number, stays[number] * longest)

        left_at = list(clients.map(leave_one, range(streams)))
    still_open = _still_open(pool, upstream)
    log = upstream.log()
    attempts = [(seen, left_at[int(seen.body["model"])]) for seen in log if seen.body]
    took = [_end_of(seen) - left for seen, left in attempts if _end_of(seen) > left]
    percentiles = quantiles(took, n=100)
    return Reported(
        streams=streams,
        upstreams=len(took),
        p50_seconds=percentiles[49],
        p99_seconds=percentiles[98],
        ping_seconds=median(ping_seconds),
        late=sum(seen.at > left + GONE_SECONDS for seen, left in attempts),
        open=still_open,
        unbooked=len(
            {seen.body["model"] for seen in log if seen.body} - {row["model"] for row in pool.rows()}
        ),
    )


@contextmanager
def pings(url: str) -> Iterator[list[float]]:
    """Send small requests, one after another, while the code inside runs; yield the seconds of each."""
    seconds: list[float] = []
    stopping = Event()

    def ping() -> None:
        while not stopping.wait(PING_EVERY_SECONDS):
            began = time.monotonic()
            requests.get(f"{url}/health/live", timeout=30).raise_for_status()
            seconds.append(time.monotonic() - began)

    with ThreadPoolExecutor(1) as pinger:
        running = pinger.submit(ping)
        try:
            yield seconds
        finally:
            stopping.set()
    running.result()


def _leave(pool: PoolOfTest, key: str, number: int, stay_seconds: float) -> float:
    endpoint = ("chat", "responses")[number % 2]
    body = {**BODIES[endpoint], "model": str(number), "stream": number % 5 != 0}
    return request_once(pool, key, endpoint, body, stay_seconds, politely=number % 3 != 0)


def request_once(
    pool: PoolOfTest, key: str, endpoint: str, body: Json, stay_seconds: float, *, politely: bool
) -> float:
    """
    Request a response, stay without reading it, and return when the client disconnected.

    *politely* is with a FIN; otherwise what lies there unread makes it a RST.
    """
    data = json.dumps(body).encode()
    head = (
        f"POST {PATHS[endpoint]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    address = urlsplit(pool.gateway.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(head.encode() + data)
        time.sleep(stay_seconds)
        if politely:
            connection.shutdown(socket.SHUT_RDWR)
        return time.time()


def _end_of(seen: Seen) -> float:
    return seen.ended_at if seen.ended_at is not None else float("inf")


def _still_open(pool: PoolOfTest, upstream: ScriptedUpstream) -> int:
    """Wait until nothing is open any more; return what is, when that takes too long."""
    until = time.monotonic() + SETTLED_SECONDS
    while True:
        calls = sum(seen.end is None for seen in upstream.log())
        left = calls + pool.open_leases() + pool.in_flight() + pool.open_requests()
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.leaving")
    parser.add_argument("--streams", type=int, default=10_000)
    arguments = parser.parse_args()
    with running_parts() as (gateway, upstream):
        pool = gateway.pool()
        reply = leave(pool, upstream.scoped(pool.name), arguments.streams, random.Random(1))
    print(reply)
    return int(not reply.well)


if __name__ == "__main__":
    sys.exit(main())
