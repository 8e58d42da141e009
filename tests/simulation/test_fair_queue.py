"""
Two keys at accounts that are always busy, one of which sends fifty times as much, on a virtual clock.

The scripts and the relay's waits are the real ones; a request is a client that tries, waits as the relay
does, runs for a while, and ends.
"""

from __future__ import annotations

import random
from collections import defaultdict
from heapq import heappop, heappush
from itertools import count
from statistics import mean
from typing import Any

import pytest

from app.relay.waiting import poll_seconds
from tests.support.store import START_MS, StoreOfTest

SLOTS = 4
RUN_MS = 1000  # on average, so that the accounts serve four requests a second
SMALL_GAP_MS = 3000
MORE = 50  # times as many requests as the small key
LONGEST_WAIT_MS = 10_000
LASTS_MS = 60_000
QUEUE_LENGTH = 100


class Traffic:
    """Requests of two keys; `waits` are the ms that those of each waited, `lost` how many gave up."""

    def __init__(self, store: StoreOfTest, seed: int) -> None:
        self._store, self._chance = store, random.Random(seed)
        self._due: list[tuple[float, int, str, Any]] = []
        self._numbers = count()
        self.waits: dict[str, list[float]] = defaultdict(list)
        self.lost: dict[str, int] = defaultdict(int)

    def _plan(self, at: float, what: str, *details: Any) -> None:
        heappush(self._due, (at, next(self._numbers), what, details))

    def send_at_random(self, key: str, gap_ms: float) -> None:
        """Let *key* send a request every *gap_ms* on average, whatever becomes of them."""
        at = float(START_MS)
        while (at := at + self._chance.expovariate(1 / gap_ms)) < START_MS + LASTS_MS:
            self._plan(at, "try", key, f"{key}{next(self._numbers)}", at, False)

    def send_one_after_another(self, key: str, clients: int) -> None:
        """Let *clients* of *key* send their next request when the previous one has ended."""
        for number in range(clients):
            self._plan(START_MS, "try", key, f"{key}{number}", START_MS, True)

    def play(self) -> None:
        while self._due and (at := self._due[0][0]) < START_MS + LASTS_MS:
            _, _, what, details = heappop(self._due)
            self._store.set_clock(int(at))
            if what == "try":
                self._try(at, *details)
            else:
                self._end(at, *details)

    def _try(self, at: float, key: str, request_id: str, began: float, repeats: bool) -> None:
        reply = self._store.admit(request_id, key, output_tokens=1000, wait=QUEUE_LENGTH)
        if "account" in reply:
            self.waits[key].append(at - began)
            runs = self._chance.expovariate(1 / RUN_MS)
            self._plan(at + runs, "end", key, request_id, repeats)
        elif "queued" not in reply or at - began >= LONGEST_WAIT_MS:
            self._store.scripts.run("leave_queue", self._store.pool, request_id)
            self.lost[key] += 1
        else:
            pause = poll_seconds(reply["queued"], self._chance) * 1000
            self._plan(min(at + pause, began + LONGEST_WAIT_MS), "try", key, request_id, began, repeats)

    def _end(self, at: float, key: str, request_id: str, repeats: bool) -> None:
        self._store.settle(request_id, key=key)
        if repeats:
            self._plan(at, "try", key, f"{key}{next(self._numbers)}", at, True)


def small_waits(client: Any, *, hot_waits: bool, seed: int) -> list[float]:
    """Return the waits of the small key while all slots are busy, with or without others that wait."""
    client.flushall()
    store = StoreOfTest(client)
    for account in ("a", "b"):
        store.account(account, cap=SLOTS // 2)
    for key in ("hot", "small"):
        store.key(key)
    traffic = Traffic(store, seed)
    traffic.send_at_random("small", SMALL_GAP_MS)
    if hot_waits:
        traffic.send_at_random("hot", SMALL_GAP_MS / MORE)
    else:
        traffic.send_one_after_another("hot", SLOTS)
    traffic.play()
    assert not traffic.lost["small"]
    assert bool(traffic.lost["hot"]) == hot_waits, "it sends three times what the accounts can serve"
    return traffic.waits["small"]


@pytest.mark.parametrize("seed", range(2))
def test_fifty_times_as_many_requests_hold_up_no_other_key(redis_client: Any, seed: int) -> None:
    empty = small_waits(redis_client, hot_waits=False, seed=seed)
    busy = small_waits(redis_client, hot_waits=True, seed=seed)

    assert mean(busy) <= 2 * mean(empty)
    assert max(busy) <= LONGEST_WAIT_MS / 2
