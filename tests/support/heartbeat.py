"""
How long a process works on one thing before another gets its turn, in seconds of CPU.

A greenlet notes the CPU time of its thread each time it is its turn: what was spent since the last
time was spent without a break. How busy the machine is does not matter.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import gevent


class Heartbeat:
    """Measures inside its `with` block, or from `start` on."""

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._beat)
        gevent.sleep(0)

    def reset(self) -> float:
        """Return the longest turn so far, and begin again with none."""
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
