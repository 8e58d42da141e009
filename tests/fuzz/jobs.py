"""
A worker process that runs its jobs on one pool on request.

    python -m tests.fuzz.jobs       prints "ready", ends when its stdin closes

A line on its standard input is `{"pool": …, "issuer": …, "number": n}`, and is answered with `{"number": n,
"seconds": {job: seconds}, "turn": seconds, "mib": n}`; several run at once. `turn` is the longest turn of
the event loop since the last response, in CPU time. What goes wrong is logged, to standard error.
"""

from __future__ import annotations

# ruff: noqa: E402  the patch comes before any import that would load ssl
from gevent import monkey

monkey.patch_all()

import os
import sys
import time
from dataclasses import replace
from typing import Any

import gevent
import orjson
from gevent.fileobject import FileObject

from app import log
from app.accounts.token_refresh import TokenRefresher
from app.config import Settings
from app.upstream.oauth import OAuth
from app.wiring import Services, build
from tests.chaos.workers import resident_mib
from workers import models, refresh, retest, usage

JOBS = (refresh, usage, models, retest)


class Turns:
    """Measures turns of the event loop, in CPU time: a busy machine does not make them longer."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = time.thread_time()
        self._watcher = gevent.get_hub().loop.check(ref=False)
        self._watcher.start(self._over)

    def _over(self) -> None:
        now = time.thread_time()
        self.longest, self._began = max(self.longest, now - self._began), now

    def take(self) -> float:
        longest, self.longest = self.longest, 0.0
        return round(longest, 3)


class OnePool:
    """Stands for all pools there are."""

    def __init__(self, name: str) -> None:
        self._name = name

    def names(self) -> list[str]:
        return [self._name]


def services_of(services: Services, pool: str, issuer: str) -> Services:
    """Return *services* for whom there is one pool, and *issuer* renews tokens."""
    oauth = OAuth(issuer, connect_timeout_seconds=2, originator="fuzz", user_agent="fuzz")
    refresher = TokenRefresher(services.credentials, oauth.refresh)
    pools: Any = OnePool(pool)
    upstream = replace(services.upstream, oauth=oauth, refresher=refresher)
    return replace(services, pools=pools, upstream=upstream)


def run_jobs(services: Services, turns: Turns, requested: dict[str, Any]) -> None:
    own, seconds = services_of(services, requested["pool"], requested["issuer"]), {}
    for job in JOBS:
        began = time.monotonic()
        job.run(own, time.time())
        seconds[job.__name__] = round(time.monotonic() - began, 3)
    response = {"number": requested["number"], "seconds": seconds, "turn": turns.take()}
    response["mib"] = round(resident_mib(os.getpid()), 1)
    os.write(sys.stdout.fileno(), orjson.dumps(response) + b"\n")  # one write: lines stay whole


def main() -> None:
    log.configure("warning")
    services, turns = build(Settings.from_environment(os.environ)), Turns()
    os.write(sys.stdout.fileno(), b"ready\n")
    for line in FileObject(sys.stdin.fileno(), "rb", close=False):
        gevent.spawn(run_jobs, services, turns, orjson.loads(line))


if __name__ == "__main__":
    main()
