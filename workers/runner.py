"""Runs jobs when they are due: once over all worker processes, each in a greenlet of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gevent
import orjson
import structlog
from gevent.event import Event

from app.errors import StoreUnavailable
from app.stores import keys
from app.stores.client import store_errors
from app.wiring import Services

log = structlog.get_logger()

CHECK_SECONDS = 5.0  # how often a process looks whether a job is due, so how late one may run


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and how many seconds lie between two runs."""

    name: str
    every_seconds: float
    run: Callable[[Services, float], None]


def run_until(stopping: Event, jobs: Sequence[Job], services: Services, finish_seconds: float) -> None:
    """Run *jobs* until *stopping* is set; then give those under way *finish_seconds*."""
    running = [gevent.spawn(_keep_running, job, services, stopping) for job in jobs]
    while not stopping.wait(60):  # a wait without end needs something else that keeps the loop alive
        pass
    gevent.joinall(running, timeout=finish_seconds)


def _keep_running(job: Job, services: Services, stopping: Event) -> None:
    while not stopping.is_set():
        run_if_due(job, services)
        stopping.wait(min(job.every_seconds, CHECK_SECONDS))


def run_if_due(job: Job, services: Services) -> None:
    """Run *job* unless some process did within its period. A failure is logged; the next run is its retry."""
    try:
        if _claim(job, services):
            _note(job, services, ok=_run(job, services))
    except StoreUnavailable:
        log.warning("job_postponed", job=job.name)


def _run(job: Job, services: Services) -> bool:
    try:
        job.run(services, time.time())
    except StoreUnavailable:
        raise
    except Exception:
        log.exception("job_failed", job=job.name)
        return False
    return True


def _note(job: Job, services: Services, *, ok: bool) -> None:
    """Leave word for whoever asks whether a worker runs."""
    with store_errors():
        client = services.scripts.client
        run = {"at": client.time()[0], "every_seconds": job.every_seconds, "ok": ok}
        client.hset(keys.JOB_RUNS, job.name, orjson.dumps(run))


def _claim(job: Job, services: Services) -> bool:
    """Take the period that begins now. The claim expires by itself, so a crash skips one run at most."""
    with store_errors():
        period_ms = int(job.every_seconds * 1000)
        return bool(services.scripts.client.set(keys.JOBS + job.name, os.getpid(), nx=True, px=period_ms))
