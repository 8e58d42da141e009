"""Greenlets are reused, and never run two tasks at once."""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import gevent
import pytest
from gevent.event import Event
from greenlet import getcurrent

from app.upstream import greenlet_pool
from app.upstream.greenlet_pool import GreenletPool


def test_a_result() -> None:
    task = GreenletPool().start(lambda: 42)
    task.wait(5)

    assert (task.done, task.result) == (True, 42)


def test_one_greenlet_after_the_other_is_the_same() -> None:
    runs = GreenletPool()
    seen = []
    for _ in range(3):
        task = runs.start(getcurrent)
        task.wait(5)
        seen.append(task.result)

    assert seen == [seen[0]] * 3


def test_many_at_once_are_not_in_each_others_way() -> None:
    runs, go = GreenletPool(), Event()

    def wait_for_start(number: int) -> int:
        go.wait()
        return number

    started = [runs.start(lambda number=number: wait_for_start(number)) for number in range(50)]
    gevent.sleep(0)
    go.set()
    for task in started:
        task.wait(5)

    assert [task.result for task in started] == list(range(50))


def test_a_long_wait_is_reported() -> None:
    go = Event()
    task = GreenletPool().start(lambda: go.wait() and "late")
    task.wait(0.001)
    assert not task.done

    go.set()
    task.wait(5)

    assert task.result == "late"


def test_an_abandoned_task_ends_where_it_waits() -> None:
    runs, left = GreenletPool(), []

    def wait_for_ever() -> None:
        try:
            Event().wait()
        finally:
            left.append(True)

    task = runs.start(wait_for_ever)
    task.wait(0.001)
    task.abandon()
    task.abandon()
    task.wait(5)

    assert (task.done, task.result, left) == (True, None, [True])


def test_a_task_abandoned_at_once_is_not_begun() -> None:
    begun: list[bool] = []
    task = GreenletPool().start(lambda: begun.append(True))
    task.abandon()
    task.wait(5)

    assert (task.done, begun) == (True, [])


def test_a_request_after_an_abandoned_one_is_not_interrupted() -> None:
    """If a task ends just when it is abandoned, its greenlet must not be interrupted later."""
    runs, go = GreenletPool(), Event()
    first = runs.start(lambda: go.wait() and "first")
    first.wait(0.001)
    go.set()
    first.abandon()
    second = runs.start(lambda: gevent.sleep(0.01) or "second")
    second.wait(5)

    assert second.result == "second"
    assert first.done


def test_a_finished_task_holds_only_its_result() -> None:
    """A waiter for the end of a stream holds the task; the prompt may be freed earlier."""

    class Thing:
        pass

    prompt, brought = Thing(), Thing()
    gone = weakref.ref(prompt), weakref.ref(brought)
    runs = GreenletPool()
    task = runs.start(partial(lambda prompt, brought: brought, prompt, brought))
    task.wait(5)
    del prompt, brought
    assert (gone[0]() is None, gone[1]() is None) == (True, False)

    del task
    assert gone[1]() is None
    assert len(runs._idle) == 1


def test_idle_greenlets_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greenlet_pool, "MAX_IDLE", 3)
    runs, go = GreenletPool(), Event()
    started = [runs.start(go.wait) for _ in range(10)]
    gevent.sleep(0)
    go.set()
    for task in started:
        task.wait(5)

    assert len(runs._idle) == 3


def test_threads_do_not_share_greenlets() -> None:
    runs = GreenletPool()

    def run(number: int) -> Any:
        task = runs.start(lambda: number)
        task.wait(5)
        return task.result

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(run, range(40))) == list(range(40))
