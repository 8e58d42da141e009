"""The load of the bench's clients, and the process that produces it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

ROOT = Path(__file__).parents[2]


@dataclass
class Load:
    """Concurrent clients that send one request after another, *requests* in total."""

    port: int
    path: str
    key: str
    body: dict[str, Any]
    wire: str  # chat | responses: what the response is to be
    deltas: int
    clients: int = 1
    requests: int = 1
    window_seconds: float = 0.0  # for paced streams: watch so long from when all are open
    windows: int = 1  # … so often


@dataclass
class SocketLoad:
    """Connections that are idle, and others with one response after another."""

    port: int
    key: str
    active_key: str  # of accounts whose responses are slow
    model: str
    idle: int
    active: int
    seconds: float


class Running:
    """
    A process of clients that send their load inside this block, and again after each `start`.

    Their connections persist.
    """

    def __init__(self, load: Load) -> None:
        self._line = orjson.dumps(asdict(load)) + b"\n"
        command = [sys.executable, "-m", "tests.bench.clients"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.__exit__(kind, error, trace)

    def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(self._line)
        self._process.stdin.flush()

    def until(self, moment: str) -> dict[str, Any]:
        """Return what was seen at *moment*. Raises AssertionError for a response that is not whole."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report: dict[str, Any] = orjson.loads(line)
            assert not report["bad"], report["why"]
            if report["moment"] == moment:
                return report
        raise AssertionError(f"the clients ended with {self._process.wait()}, before they were {moment}")


def run(load: Load) -> dict[str, Any]:
    """Return what was seen of the complete *load*."""
    with Running(load) as running:
        return running.until("done")
