"""A run: cases made from a seed, several at once, and those that seem wrong played again alone."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.chaos.workers import resident_mib
from tests.fuzz.answers import answer_case
from tests.fuzz.calls import operations, request_case
from tests.fuzz.case import Case
from tests.fuzz.judge import faults
from tests.fuzz.stage import Stage
from tests.support.gateway import PoolOfTest

FORGET_SECONDS = 15.0  # a settlement is looked for until 10 s after it was taken
TRIES = 3
WARM_CASES = 60
MOST_WORKER_MIB = (
    48.0  # more than after warming up: caches that have a bound, and what an allocator holds back
)
MOST_STORE_MIB = 8.0  # what is not of a pool that was forgotten
SHARED = ("in the log:", "a turn of the event loop")  # may be another case's, that ran at the same time

Make = Callable[[str, random.Random], Case]


@dataclass(slots=True)
class Report:
    """What came of a run. *wrong*: faults by case."""

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[tuple[Case, list[str]]] = field(default_factory=list)


class Run:
    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._seed = seed
        known = operations(stage.document())
        self._makes: dict[str, Make] = {
            "requests": lambda name, chance: request_case(name, chance, known),
            "answers": answer_case,
        }
        self._old: deque[tuple[float, PoolOfTest]] = deque()
        self._lock = threading.Lock()
        self._warm: dict[str, float] = {}
        self.report = Report()

    def case(self, name: str) -> Case:
        """Return the case of this name, as `answers 17`."""
        return self._makes[name.partition(" ")[0]](name, random.Random(f"{self._seed} {name}"))

    def until(self, end: float, *, at_once: int = 4, start: int = 0, most: int = 10**9) -> None:
        """Play cases until then (monotonic seconds), then those that seemed wrong again, alone."""
        numbers = itertools.count(start)
        suspects: list[tuple[Case, list[str]]] = []

        def lane(_: int) -> None:
            while time.monotonic() < end:
                number = next(numbers)
                if number >= start + most:
                    return
                for kind in self._makes:
                    case = self.case(f"{kind} {number}")
                    if found := self.once(case):
                        suspects.append((case, found))

        with ThreadPoolExecutor(at_once) as threads:
            for number in range(WARM_CASES):  # connections, caches and code that is loaded late
                self.once(self.case(f"{list(self._makes)[number % len(self._makes)]} warm {number}"))
            self._warm = self.memory()
            list(threads.map(lane, range(at_once)))
        for case, found in suspects:
            self.judge(case, found)

    def judge(self, case: Case, found: list[str]) -> None:
        """Play *case* again, alone: what others may have caused has to show every time."""
        own = [fault for fault in found if not fault.startswith(SHARED)]
        for _ in range(TRIES):
            again = self.once(case)
            if not again and not own:
                return
            found = again or found
        self.report.wrong.append((case, found))

    def once(self, case: Case) -> list[str]:
        outcome = self._stage.play(case)
        found = faults(outcome)
        with self._lock:
            self.report.cases[case.name.partition(" ")[0]] += 1
            self.report.statuses.update(heard.status for heard in outcome.heard)
            self._old.append((time.monotonic(), outcome.pool))
        self._forget()
        return found

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
        now, most = self.memory(), {"worker": MOST_WORKER_MIB, "store": MOST_STORE_MIB}
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
