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


class StoreOutage:
    """The jobs of this process that wait for the store: a line of the log for an outage, one for its end."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()  # names of jobs

    def postpone(self, job: str) -> None:
        """Note that *job* could not use the store."""
        if not self._waiting:
            log.warning("job_postponed", job=job)
        self._waiting.add(job)

    def resume(self, job: str) -> None:
        """Note that *job* could use the store; an outage ends when no job waits any more."""
        if job in self._waiting:
            self._waiting.remove(job)
            if not self._waiting:
                log.info("jobs_resumed")


def run_until(stopping: Event, jobs: Sequence[Job], services: Services, finish_seconds: float) -> None:
    """Run *jobs* until *stopping* is set; then give running jobs *finish_seconds* to end."""
    outage = StoreOutage()
    running = [gevent.spawn(_keep_running, job, services, outage, stopping) for job in jobs]
    while not stopping.wait(60):  # gevent ends a wait without a timeout when nothing else runs
        pass
    gevent.joinall(running, timeout=finish_seconds)


def _keep_running(job: Job, services: Services, outage: StoreOutage, stopping: Event) -> None:
    while not stopping.is_set():
        run_if_due(job, services, outage)
        stopping.wait(min(job.every_seconds, CHECK_SECONDS))


def run_if_due(job: Job, services: Services, outage: StoreOutage) -> None:
    """Run *job* unless a process did within its period. A failure is logged; the next run retries it."""
    try:
        jobs = JobRepository(services.scripts)
        if jobs.claim(job.name, job.every_seconds):
            jobs.record_run(job.name, job.every_seconds, ok=_run(job, services))
        outage.resume(job.name)
    except StoreUnavailable:
        outage.postpone(job.name)


def _run(job: Job, services: Services) -> bool:
    try:
        job.run(services, time.time())
    except StoreUnavailable:
        raise
    except Exception:
        log.exception("job_failed", job=job.name)
        return False
    return True
