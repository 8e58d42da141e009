"""
Hundreds of open streams for as long as one likes, and nothing that grows.

    python -m tests.soak.streams [--minutes 30] [--streams 200]

A fifth of the clients leave, a tenth of the upstreams fail. Ends with status 1 if an answer
was wrong, if memory grows, or if a greenlet, socket, lease or slot outlives its request.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression

from tests.faults.heard import ask, understood
from tests.faults.leaving import visit
from tests.faults.parts import running_parts
from tests.faults.plays import BODIES, SAYS, Json, rejected, saying
from tests.soak.workers import held, memory_mib
from tests.support.gateway import PoolOfTest
from tests.support.redis import short_folder

ACCOUNTS = 4
LEAVING = 0.2
STREAM_SECONDS = 4.2
SAMPLE_SECONDS = 1.0
WARM_UP = 0.5  # of the time, before growth is measured
MOST_GROWTH = 2.0  # MiB a minute of all workers …
NOISE_MIB = 6.0  # … beyond what an allocator may need in a short run
SETTLED_SECONDS = 10.0

STREAM = saying("bad", at={str(place): [{"sleep": STREAM_SECONDS / 6}] for place in range(6)})
FAULTS: tuple[Json, ...] = (
    rejected(503),
    rejected(429, "rate_limit_exceeded", headers={"retry-after": "1"}),
    {"before": [{"reset": True}]},
    saying("bad", at={"2": [{"sleep": 1.0}, {"reset": True}]}),
    saying("bad", at={"4": [{"sleep": 1.0}, {"close": True}]}),
)
PLAYS = tuple(play for fault in FAULTS for play in (*[STREAM] * 9, fault))


@dataclass(slots=True)
class Told:
    seconds: float
    outcomes: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)  # (seconds, MiB)
    idle: Counter[str] = field(default_factory=Counter)  # what the workers held before the streams
    left: Counter[str] = field(default_factory=Counter)  # … and beyond that after the last one

    @property
    def growth(self) -> float:
        """MiB a minute, once the workers are warm."""
        warm = [sample for sample in self.memory if sample[0] > self.seconds * WARM_UP]
        return 60 * linear_regression(*zip(*warm, strict=True)).slope

    def wrongs(self) -> list[str]:
        found = [f"{number} {what} left" for what, number in self.left.items()]
        if self.outcomes["wrong"] or not self.outcomes["complete"]:
            found.append("wrong answers, or none")
        measured_minutes = self.seconds * (1 - WARM_UP) / 60
        if self.growth > max(MOST_GROWTH, NOISE_MIB / measured_minutes):
            found.append(f"memory grows by {self.growth:.1f} MiB a minute")
        return found


def soak(seconds: float, streams: int) -> Told:
    told = Told(seconds)
    with (
        short_folder() as folder,
        running_parts(GUNICORN_CMD_ARGS="--config=tests/soak/counting.py", COUNTING_FOLDER=str(folder)) as (
            gateway,
            upstream,
        ),
    ):
        pool = gateway.pool()
        for number in range(ACCOUNTS):
            pool.account(
                f"a{number}", upstream.base_url(f"a{number}"), cap=streams, wires=("chat", "responses")
            )
        upstream.script(*PLAYS, repeat="cycle")
        key = pool.key()
        with ThreadPoolExecutor(streams) as clients:
            list(clients.map(lambda _: _outcome(pool, key, "chat", BODIES["chat"]), range(streams)))
            told.idle = held(gateway, folder, upstream.port)
            began = time.monotonic()
            stays = [clients.submit(_stay, pool, key, seed, began + seconds) for seed in range(streams)]
            while not all(stay.done() for stay in stays):
                told.memory.append((time.monotonic() - began, memory_mib(gateway)))
                time.sleep(SAMPLE_SECONDS)
        told.outcomes = sum((stay.result() for stay in stays), Counter())
        told.left = _left(pool, folder, upstream.port, told.idle)
    return told


def _stay(pool: PoolOfTest, key: str, seed: int, until: float) -> Counter[str]:
    """Be one client after the other until then; return what became of them."""
    chance, outcomes = random.Random(seed), Counter()
    while time.monotonic() < until:
        surface = chance.choice(("chat", "responses"))
        body = {**BODIES[surface], "stream": True, "prompt_cache_key": f"conversation {chance.random()}"}
        if chance.random() < LEAVING:
            visit(pool, key, surface, body, chance.random() * STREAM_SECONDS, politely=chance.random() < 0.5)
            outcomes["left"] += 1
        else:
            outcomes[_outcome(pool, key, surface, body)] += 1
    return outcomes


def _outcome(pool: PoolOfTest, key: str, surface: str, body: Json) -> str:
    meaning = understood(surface, ask(pool.gateway.url, surface, body, key, 60))
    if meaning.faults or not SAYS["bad"].startswith(meaning.text):
        return "wrong"
    if meaning.finished:
        return "complete" if meaning.text == SAYS["bad"] else "wrong"
    return "told of a failure"


def _left(pool: PoolOfTest, folder: Path, upstream_port: int, idle: Counter[str]) -> Counter[str]:
    """Wait until all is settled, and return what workers and store still hold beyond *idle*."""
    until = time.monotonic() + SETTLED_SECONDS
    while True:
        now = held(pool.gateway, folder, upstream_port)
        del now["upstream sockets"]  # kept for the next request
        now.update(leases=pool.open_leases(), slots=pool.in_flight(), requests=pool.open_requests())
        left = now - idle
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.5)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.streams")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--streams", type=int, default=200, help="open at once")
    arguments = parser.parse_args()
    told = soak(arguments.minutes * 60, arguments.streams)
    print(", ".join(f"{number} {what}" for what, number in sorted(told.outcomes.items())))
    print(f"idle: {dict(told.idle)}, left: {dict(told.left)}")
    print(f"memory: {told.memory[0][1]:.0f} MiB at first, {told.memory[-1][1]:.0f} at last, ", end="")
    print(f"{told.growth:+.2f} a minute once warm")
    for wrong in told.wrongs():
        print("WRONG:", wrong)
    return int(bool(told.wrongs()))


if __name__ == "__main__":
    sys.exit(main())
