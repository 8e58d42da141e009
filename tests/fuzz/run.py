"""A run: cases made from a seed, several at once, and those that seem wrong played again alone."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from tests.chaos.workers import resident_mib
from tests.fuzz.admin import AdminFuzzer
from tests.fuzz.afterwards import Operator
from tests.fuzz.calls import operations, request_case
from tests.fuzz.case import Case, Played, Shown
from tests.fuzz.judge import faults
from tests.fuzz.reports import ReportFuzzer
from tests.fuzz.responses import response_case
from tests.fuzz.stage import Stage
from tests.support.gateway import PoolOfTest

FORGET_SECONDS = 15.0  # a settlement is looked for until 10 s after it was taken
TRIES = 3
WARM_CASES = 60
MAX_WORKER_MIB = (
    48.0  # more than after warming up: caches that have a bound, and what an allocator holds back
)
MAX_STORE_MIB = 8.0  # what is not of a pool that was forgotten
SHARED = ("in the log:", "a turn of the event loop")  # may be another case's, that ran at the same time

RELAY, OPERATORS = ("requests", "answers"), ("admin", "reports")
KINDS = (*RELAY, *OPERATORS)


class Fuzzer(Protocol):
    """Makes the cases of one kind, and plays them."""

    def case(self, name: str, chance: random.Random) -> Shown: ...

    def play(self, case: Shown) -> Played: ...


class RelayFuzzer:
    """Requests of callers, and what upstreams answer to them."""

    def __init__(self, stage: Stage, make: Callable[[str, random.Random], Case]) -> None:
        self._stage = stage
        self._make = make

    def case(self, name: str, chance: random.Random) -> Shown:
        return self._make(name, chance)

    def play(self, case: Shown) -> Played:
        assert isinstance(case, Case)
        outcome = self._stage.play(case)
        return Played(outcome.pool, [heard.status for heard in outcome.heard], faults(outcome))


@dataclass(slots=True)
class Report:
    """What came of a run. *wrong*: faults by case."""

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[tuple[Shown, list[str]]] = field(default_factory=list)


class Run:
    def __init__(self, stage: Stage, seed: int, kinds: Sequence[str] = KINDS) -> None:
        self._stage = stage
        self._seed = seed
        self._kinds = fuzzers(stage, kinds)
        self._old: deque[tuple[float, PoolOfTest]] = deque()
        self._lock = threading.Lock()
        self._warm: dict[str, float] = {}
        self.report = Report()

    def case(self, name: str) -> Shown:
        """Return the case of this name, as `answers 17`."""
        return self._kinds[name.partition(" ")[0]].case(name, random.Random(f"{self._seed} {name}"))

    def until(self, end: float, *, at_once: int = 4, start: int = 0, most: int = 10**9) -> None:
        """Play cases until then (monotonic seconds), then those that seemed wrong again, alone."""
        numbers = itertools.count(start)
        suspects: list[tuple[Shown, list[str]]] = []

        def lane(_: int) -> None:
            while time.monotonic() < end:
                number = next(numbers)
                if number >= start + most:
                    return
                for kind in self._kinds:
                    case = self.case(f"{kind} {number}")
                    if found := self.once(case):
                        suspects.append((case, found))

        with ThreadPoolExecutor(at_once) as threads:
            list(threads.map(self._warm_up, range(min(WARM_CASES, most))))
            self._warm = self.memory()
            list(threads.map(lane, range(at_once)))
        for case, found in suspects:
            self.judge(case, found)

    def _warm_up(self, number: int) -> None:
        """Play a case that is not judged: connections, caches and code that is loaded late."""
        self.once(self.case(f"{list(self._kinds)[number % len(self._kinds)]} warm {number}"))

    def judge(self, case: Shown, found: list[str]) -> None:
        """Play *case* again, alone: what others may have caused has to show every time."""
        own = [fault for fault in found if not fault.startswith(SHARED)]
        for _ in range(TRIES):
            again = self.once(case)
            if not again and not own:
                return
            found = again or found
        self.report.wrong.append((case, found))

    def once(self, case: Shown) -> list[str]:
        kind = case.name.partition(" ")[0]
        played = self._kinds[kind].play(case)
        with self._lock:
            self.report.cases[kind] += 1
            self.report.statuses.update(played.statuses)
            self._old.append((time.monotonic(), played.pool))
        self._forget()
        return played.faults

    def _forget(self) -> None:
        while True:
            with self._lock:
                if not self._old or self._old[0][0] > time.monotonic() - FORGET_SECONDS:
                    return
                _, pool = self._old.popleft()
            self._stage.forget(pool)

    def grown(self) -> list[str]:
        """Return what grew by more than it may since the run began; the pools of cases are removed first."""
        while self._old:
            self._stage.forget(self._old.popleft()[1])
        now, most = self.memory(), {"worker": MAX_WORKER_MIB, "store": MAX_STORE_MIB}
        return [
            f"{what} grew from {self._warm[what]:.1f} to {now[what]:.1f} MiB"
            for what in most
            if now[what] - self._warm[what] > most[what]
        ]

    def memory(self) -> dict[str, float]:
        """Return MiB of the largest worker and of the store."""
        info = self._stage.client.info("memory")
        workers = max(map(resident_mib, self._stage.gateway.children()))
        return {"worker": workers, "store": info["used_memory"] / 2**20}


def fuzzers(stage: Stage, kinds: Sequence[str]) -> dict[str, Fuzzer]:
    """Return the fuzzer of each of *kinds*."""
    found: dict[str, Fuzzer] = {}
    if "requests" in kinds:
        known = operations(stage.document())
        found["requests"] = RelayFuzzer(stage, lambda name, chance: request_case(name, chance, known))
    if "answers" in kinds:
        found["answers"] = RelayFuzzer(stage, response_case)
    if set(OPERATORS) & set(kinds):
        operator = Operator(stage)
        more: dict[str, Fuzzer] = {
            "admin": AdminFuzzer(stage, operator),
            "reports": ReportFuzzer(stage, operator),
        }
        found |= {kind: more[kind] for kind in kinds if kind in more}
    return found
