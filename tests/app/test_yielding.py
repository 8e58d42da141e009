"""Giving way: whatever has become ready meanwhile runs."""

from __future__ import annotations

import time

import gevent

from app.yielding import SMALL_BYTES, end_turn, give_way

WORK_SECONDS = 0.005


def work(rounds: int, seen: list[int]) -> None:
    for number in range(rounds):
        until = time.perf_counter() + WORK_SECONDS
        while time.perf_counter() < until:
            pass
        seen.append(number)
        end_turn()


def test_a_timer_that_expired_runs_before_more_work() -> None:
    """Another greenlet that only waits for time is in the same position as one that waits for data."""
    seen: list[int] = []
    worker = gevent.spawn(work, 20, seen)
    gevent.sleep(0)  # the first round is done, and took longer than the wait that begins now
    gevent.sleep(WORK_SECONDS / 5)
    rounds = len(seen)
    worker.kill()

    assert rounds <= 3


def test_small_work_goes_on_at_once() -> None:
    others: list[int] = []
    greenlet = gevent.spawn(others.append, 1)
    give_way(SMALL_BYTES)
    assert others == []
    give_way(SMALL_BYTES + 1)
    assert others == [1]
    greenlet.join()
