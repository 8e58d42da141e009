"""
A pool of greenlets that run one task after another.

A new greenlet needs a stack, which the system maps and unmaps. That costs more than everything else
that sending a request in a separate greenlet needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import gevent
from gevent.event import Event
from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

MAX_IDLE = 50  # idle greenlets, about 20 kB each; more are idle only after many requests began at once


Result = TypeVar("Result")


class Task(Generic[Result]):
    """A function that runs in a greenlet; `result` is None until it is done, or if it was abandoned."""

    __slots__ = ("_abandoned", "_done", "_runner", "_what", "result")

    def __init__(self, what: Callable[[], Result]) -> None:
        self.result: Result | None = None
        self._what: Callable[[], Result] | None = what
        self._abandoned = False
        self._done = Event()
        self._runner: Any = None

    @property
    def done(self) -> bool:
        return bool(self._done.is_set())

    def wait(self, seconds: float) -> None:
        """Wait until the task is done or abandoned, for at most *seconds*."""
        self._done.wait(seconds)

    def abandon(self) -> None:
        """Interrupt the function where it waits. Safe to call from the hub; does not wait."""
        if not self.done and not self._abandoned:
            self._abandoned = True
            gevent.get_hub().loop.run_callback(self._interrupt)

    def _interrupt(self) -> None:
        if not self.done:
            self._runner.throw()

    def run_by(self, runner: greenlet) -> bool:
        """Run the function, and return whether *runner* can run another task."""
        self._runner = runner
        what, self._what = self._what, None  # frees the prompt while the rest of the response is read
        try:
            if what is not None and not self._abandoned:
                self.result = what()
        finally:
            self._runner = None
            self._done.set()
        return not self._abandoned


class GreenletPool:
    """Runs each given function in its own greenlet."""

    def __init__(self) -> None:
        self._idle: list[Any] = []

    def start(self, what: Callable[[], Result]) -> Task[Result]:
        """
        Return a task for *what*.

        It starts when the caller next waits for anything. *what* must not raise.
        """
        task, hub = Task(what), gevent.get_hub()
        idle = bool(self._idle) and self._idle[-1].parent is hub  # a greenlet runs only in its own thread
        runner = self._idle.pop() if idle else greenlet(self._run, hub)
        hub.loop.run_callback(runner.switch, [task])
        return task

    def _run(self, given: list[Task[Any]]) -> None:
        """
        Run the task in *given*, then later ones.

        Tasks are removed from it: a greenlet never frees arguments.
        """
        runner = getcurrent()
        while given.pop().run_by(runner) and len(self._idle) < MAX_IDLE:
            self._idle.append(runner)
            given = gevent.get_hub().switch()
