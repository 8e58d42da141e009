"""What goes wrong in a run, one thing after the other, in an order that the seed decides."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from tests.chaos.clients import PLAYS
from tests.chaos.history import Recorder
from tests.faults.responses import STALL, Json, rejected, saying
from tests.support.gateway import Gateway
from tests.support.replicated import Replicated
from tests.support.upstream_client import ScriptedUpstream

PAUSES_SECONDS = (0.2, 1.2)
BEHIND_SECONDS = (0.0, 1.0)  # what a failover forgets
GAPS_SECONDS = (1.0, 5.0)
DOWN_SECONDS = (3.0, 12.0)
DOWN: tuple[Json, ...] = (
    rejected(503),
    rejected(429, "rate_limit_exceeded", headers={"retry-after": "3"}),
    {"before": [{"reset": True}]},
    {"before": [STALL]},
    saying("bad", at={"3": [{"reset": True}]}),
)


class Troubles:
    """*start_background* starts the background worker, which may be killed as well."""

    def __init__(
        self,
        gateway: Gateway,
        store: Replicated,
        upstream: ScriptedUpstream,
        accounts: list[str],
        start_background: Callable[[], subprocess.Popen[bytes]],
        history: Recorder,
        chance: random.Random,
        only: Collection[str] = (),
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._upstream = upstream
        self._accounts = accounts
        self._start_background = start_background
        self._history = history
        self._chance = chance
        self._background = start_background()
        self._down: list[threading.Timer] = []
        self.spared = gateway.children()[0]  # it lives on, so that its memory can be measured
        self._kinds: dict[str, Callable[[], dict[str, Any]]] = {
            "kill_worker": self._kill_worker,
            "kill_background": self._kill_background,
            "pause": self._pause,
            "restart": self._restart,
            "fail_over": self._fail_over,
            "cut_off": self._cut_off,
            "account_down": self._account_down,
        }

        self._only = only or list(self._kinds)

    def until(self, end: float) -> None:
        """Make trouble until then (monotonic seconds), every kind in turn; then repair everything."""
        for what in self._order():
            gap = self._chance.uniform(*GAPS_SECONDS)
            if time.monotonic() + gap > end:
                break
            time.sleep(gap)
            began = time.time()
            more = self._kinds[what]()
            self._history.note("trouble", what=what, began=began, **more)
        for timer in self._down:
            timer.join()

    def stop(self) -> None:
        self._background.kill()
        self._background.wait()

    def _order(self) -> Iterator[str]:
        while True:
            kinds = [kind for kind in (*self._kinds, "account_down", "kill_worker") if kind in self._only]
            self._chance.shuffle(kinds)
            yield from kinds

    def _kill_worker(self) -> dict[str, Any]:
        victims = [pid for pid in self._gateway.children() if pid != self.spared]
        victim = self._chance.choice(sorted(victims)) if victims else 0
        if victim:
            os.kill(victim, signal.SIGKILL)
        return {"pid": victim}

    def _kill_background(self) -> dict[str, Any]:
        self.stop()
        self._background = self._start_background()
        return {}

    def _pause(self) -> dict[str, Any]:
        seconds = self._chance.uniform(*PAUSES_SECONDS)
        self._store.pause(seconds)
        return {"seconds": seconds}

    def _restart(self) -> dict[str, Any]:
        self._store.restart()
        return {}

    def _fail_over(self) -> dict[str, Any]:
        behind_seconds = self._chance.uniform(*BEHIND_SECONDS)
        self._store.fail_over(behind_seconds)
        return {"behind_seconds": behind_seconds}

    def _cut_off(self) -> dict[str, Any]:
        behind_seconds = self._chance.uniform(*BEHIND_SECONDS)
        self._store.cut_off(behind_seconds)
        return {"behind_seconds": behind_seconds}

    def _account_down(self) -> dict[str, Any]:
        account, play = self._chance.choice(self._accounts), self._chance.choice(DOWN)
        seconds = self._chance.uniform(*DOWN_SECONDS)
        self._upstream.script(play, account=account)
        timer = threading.Timer(
            seconds, self._upstream.script, PLAYS, {"account": account, "repeat": "cycle"}
        )
        timer.start()
        self._down.append(timer)
        return {"account": account, "seconds": seconds}
