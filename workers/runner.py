"""Runs jobs when they are due: each in one of all worker processes, in its own greenlet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gevent
import structlog
from gevent.event import Event

from app.errors import StoreUnavailable
from app.stores.jobs import JobRepository
from app.wiring import Services

log = structlog.get_logger()

CHECK_SECONDS = 5.0  # how often a process checks for due jobs, so how late a job may run


@dataclass(frozen=True, slots=True)
class Job:
    """A function to run, and its period in seconds."""

    name: str
    every_seconds: float
    run: Callable[[Services, float], None]


def run_until(stopping: Event, jobs: Sequence[Job], services: Services, finish_seconds: float) -> None:
    """Run *jobs* until *stopping* is set; then give running jobs *finish_seconds* to end."""
    running = [gevent.spawn(_keep_running, job, services, stopping) for job in jobs]
    while not stopping.wait(60):  # gevent ends a wait without a timeout when nothing else runs
        pass
    gevent.joinall(running, timeout=finish_seconds)


def _keep_running(job: Job, services: Services, stopping: Event) -> None:
    while not stopping.is_set():
        run_if_due(job, services)
        stopping.wait(min(job.every_seconds, CHECK_SECONDS))


def run_if_due(job: Job, services: Services) -> None:
    """Run *job* unless a process did within its period. A failure is logged; the next run retries it."""
    try:
        jobs = JobRepository(services.scripts)
        if jobs.claim(job.name, job.every_seconds):
            jobs.record_run(job.name, job.every_seconds, ok=_run(job, services))
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
