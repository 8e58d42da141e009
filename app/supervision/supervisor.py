"""
Supervision of child processes: dead ones are restarted, and all end together.

Children end with the supervisor even if it is killed: Linux sends them SIGTERM, and their standard
input closes.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0  # pauses before a dead child is started again
STEADY_SECONDS = 30.0  # after a run of this length the pause is FIRST_WAIT_SECONDS again
PR_SET_PDEATHSIG = 1  # prctl(2)
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildFailed(Exception):
    """A child died before everything was ready, so a restart would not help."""


class Stopped(Exception):
    """A signal requested the end of all children."""


@dataclass(slots=True, eq=False)
class Child:
    """A command to supervise, in the folder *cwd*."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    cwd: Path
    process: subprocess.Popen[bytes] = field(init=False)
    started_at: float = field(init=False)
    wait_seconds: float = FIRST_WAIT_SECONDS

    def start(self) -> None:
        """Start the process. It receives SIGTERM when the supervisor dies."""
        supervisor = os.getpid()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=self.environ,
            cwd=self.cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the supervisor, which lets streams finish
            preexec_fn=lambda: _end_with_parent(supervisor),
        )

    def restart_at(self) -> float | None:
        """Return when to start this dead child again, or None while it lives."""
        if self.process.poll() is None:
            return None
        if time.monotonic() - self.started_at > STEADY_SECONDS:
            self.wait_seconds = FIRST_WAIT_SECONDS
        return self.started_at + self.wait_seconds

    def restart(self) -> None:
        """Start the dead process again, and double the wait before the next restart."""
        self.close()
        self.wait_seconds = min(self.wait_seconds * 2, LONGEST_WAIT_SECONDS)
        self.start()

    def close(self) -> None:
        """Close the standard input of the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()


class Supervisor:
    """
    Supervises *stages* of children inside its `with` block.

    They start in order. At the end each stage has *stop_seconds* to finish, the last one first. *warn* logs
    a warning, with the name of the event and its fields.
    """

    def __init__(
        self, stages: Sequence[Sequence[Child]], stop_seconds: float, warn: Callable[..., None]
    ) -> None:
        self.stages, self.stop_seconds, self.warn = stages, stop_seconds, warn
        self.children = [child for stage in stages for child in stage]
        self.started: list[Child] = []

    def __enter__(self) -> Supervisor:
        self.signals = _signals()
        for child in self.children:
            child.start()
            self.started.append(child)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stage in reversed(self.stages):
            self._stop([child for child in stage if child in self.started])

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once *ready* returns true. Raises ChildFailed, Stopped."""
        deadline = time.monotonic() + seconds
        while not ready():
            self._pause(0.05)
            for child in self.children:
                if child.process.poll() is not None:
                    raise ChildFailed(
                        f"{child.name} ended with status {child.process.returncode} while starting"
                    )
            if time.monotonic() > deadline:
                raise ChildFailed(f"not ready after {seconds:g} seconds")

    def run(self, watch: Callable[[], object] = lambda: None, watch_seconds: float = 60.0) -> None:
        """
        Restart dead children, and call *watch* every *watch_seconds*.

        Does not return; raises Stopped on a signal.
        """
        while True:
            watch()
            due = {child: at for child in self.children if (at := child.restart_at()) is not None}
            now = time.monotonic()
            for child, at in due.items():
                if at <= now:
                    self.warn("child_restarted", child=child.name, status=child.process.returncode)
                    child.restart()
            waits = [at - now for at in due.values() if at > now]
            self._pause(min([*waits, watch_seconds]))

    def _pause(self, seconds: float) -> None:
        """Wait at most *seconds* for a signal. Raises Stopped, except for SIGCHLD, which ends the wait."""
        if select.select([self.signals], [], [], seconds)[0] and set(os.read(self.signals, 64)) != {
            signal.SIGCHLD
        }:
            raise Stopped

    def _stop(self, children: Sequence[Child]) -> None:
        """Let *children* finish; a second signal or the timeout kills them."""
        for child in children:
            if child.process.poll() is None:
                child.process.terminate()
            child.close()
        deadline = time.monotonic() + self.stop_seconds
        try:
            while any(child.process.poll() is None for child in children) and time.monotonic() < deadline:
                self._pause(deadline - time.monotonic())
        except Stopped:
            pass
        for child in children:
            if child.process.poll() is None:
                os.killpg(child.process.pid, signal.SIGKILL)  # with its child processes
                child.process.wait()


def _signals() -> int:
    """Return a descriptor from which the numbers of received signals can be read."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    for number in (*STOP_SIGNALS, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)  # a signal that is ignored does not reach the descriptor
    signal.set_wakeup_fd(write)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # `become_supervisor` blocks them
    return read


def _end_with_parent(supervisor: int) -> None:
    """In the child, make the kernel send SIGTERM when the supervisor dies."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:  # the supervisor died before the request
            os._exit(1)
