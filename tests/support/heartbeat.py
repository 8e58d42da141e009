"""
Measure how long a process works on one thing before another gets its turn, in CPU time.

A greenlet notes the CPU time of its thread at each of its turns: the time spent since its last turn was spent
without a break. On a busy machine, the CPU time of the same work varies by a factor of two and more, so a
turn is compared with reference work of the same process at the same moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import gevent
import orjson

from app.yielding import end_turn

MAX_TRIES = 3
REFERENCE_PIECES = [bytes(256 * 1024)] * 512  # 128 MiB
REFERENCE_JSON = b"[%b]" % b",".join([b'{"key":"value"}'] * 100_000)  # 200,000 values


@contextmanager
def counted_turns() -> Iterator[Callable[[], int]]:
    """Run another greenlet during the block; yield the number of its turns, which no clock affects."""
    turns = 0

    def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            end_turn()

    other = gevent.spawn(take_turns)
    try:
        yield lambda: turns
    finally:
        other.kill()


class Heartbeat:
    """Measures during its `with` block, or from `start` on."""

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._beat)
        gevent.sleep(0)

    def reset(self) -> float:
        """Return the longest turn so far, and start again."""
        longest, self.longest_seconds = self.longest_seconds, 0.0
        return longest

    def _beat(self) -> None:
        last = time.thread_time()
        while True:
            gevent.sleep(0.001)
            now = time.thread_time()
            self.longest_seconds = max(self.longest_seconds, now - last)
            last = time.thread_time()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gevent.sleep(0.002)
        assert self._greenlet is not None
        self._greenlet.kill()


class Comparison:
    """
    Compares longest turns with reference work; *reference* returns the seconds that it takes now.

    A turn over the limit is measured again, between two references: a turn that is really too long is too
    long each time.
    """

    def __init__(self, reference: Callable[[], float]) -> None:
        self._reference = reference
        self._shortest = reference()

    def ratio(self, turn: Callable[[], float], limit: float) -> float:
        """
        Return the seconds that *turn* returns, as a multiple of the reference: the minimum of several tries.
        """
        least = turn() / self._shortest
        for _ in range(MAX_TRIES - 1):
            if least <= limit:
                break
            before, seconds, after = self._reference(), turn(), self._reference()
            self._shortest = min(self._shortest, before, after)
            least = min(least, seconds / max(before, after))
        return least


def longest_turn_ratio(work: Callable[[], object], limit: float) -> float:
    """Return the longest turn of *work* in this process, as a multiple of the reference work."""

    def turn() -> float:
        with Heartbeat() as heartbeat:
            work()
        return heartbeat.longest_seconds

    return Comparison(reference_seconds).ratio(turn, limit)


def reference_seconds() -> float:
    """
    Return the CPU seconds of fixed work without a break, of the kinds that a request causes.

    Copies a body of the maximum size to new memory, parses the maximum number of values, reads each.
    """
    began = time.thread_time()
    copied = b"".join(REFERENCE_PIECES)
    visited = [item["key"] for item in orjson.loads(REFERENCE_JSON)]
    seconds = time.thread_time() - began
    assert len(copied) > len(visited)
    return seconds
