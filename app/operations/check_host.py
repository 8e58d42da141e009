"""Check this machine: the disk, the file of secret keys, the spool, and the background jobs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.formatting import counted, moment
from app.ledger.dead_letters import DeadLetters
from app.ledger.spool import Spool
from app.operations.diagnostic import Diagnostic, Level
from app.stores import private_server
from app.stores.health import HealthRepository
from app.stores.records.health import JobRun

MIN_BYTES, FEW_BYTES = 200 * 1024**2, 1024**3  # free space where the private server and the spool write
REPAIR_SECONDS = 86400
LATE_PERIODS, LATE_SECONDS = 3, 60  # a job that is later than this is reported
GONE_SECONDS = 7 * 86400  # a job that has not run for longer, while others have, does not exist any more


def check_disk(home: Path) -> Iterator[Diagnostic]:
    """Yield a finding if the disk of *home* is nearly full."""
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < FEW_BYTES:
        level = Level.WRONG if free < MIN_BYTES else Level.NOTE
        what = f"{free / 1024**2:.0f} MiB of disk are left"
        yield Diagnostic(level, str(home), what, "make room, or set POOLGATE_HOME to another disk")


def check_secret_file(path: Path) -> Iterator[Diagnostic]:
    """Yield a finding if users other than its owner may read the secret keys in *path*."""
    if path.exists() and path.stat().st_mode & 0o077:
        yield Diagnostic(Level.WRONG, str(path), "others may read the secret keys", f"chmod 600 {path}")


def check_repairs(home: Path, now: float) -> Iterator[Diagnostic]:
    """Yield the repairs of the private server under *home* in the last day, one finding for each kind."""
    times_by_event: dict[str, list[float]] = {}
    for at, what in private_server.repairs_since(home, now - REPAIR_SECONDS):
        times_by_event.setdefault(what, []).append(at)
    for what, times in times_by_event.items():
        often = f" ({len(times)} times)" if len(times) > 1 else ""
        remedy = f"nothing to do now; if it happens again, look at {home / 'redis' / 'log'} for what ended it"
        yield Diagnostic(Level.NOTE, "redis", f"at {moment(times[-1])} {what}{often}", remedy)


def check_spool(folder: Path) -> Iterator[Diagnostic]:
    """Yield a finding if *folder* has settlements of an earlier process."""
    if files := Spool(folder).files():
        settlements = counted(len(files), "file of settlements is", "files of settlements are")
        what = f"{settlements} not in the ledger yet"
        yield Diagnostic(
            Level.NOTE, "ledger", what, "the next start of a web process on this machine writes them"
        )


def check_dead_letters(home: Path) -> Iterator[Diagnostic]:
    """Yield a finding if settlements were rejected, or came too late, and are in a file under *home*."""
    letters = DeadLetters(home)
    if count := letters.count():
        settlements = counted(count, "settlement; its request was", "settlements; their requests were")
        what = f"the store rejected {settlements} charged at the upper bound"
        remedy = (
            f"report it with the lines of {letters.path}, which have the actual amounts; then remove the file"
        )
        yield Diagnostic(Level.WRONG, "ledger", what, remedy)


def check_jobs(health: HealthRepository) -> Iterator[Diagnostic]:
    """Yield the background jobs that are late, and those whose latest run failed."""
    runs, now = health.job_runs(), health.now()
    late = {run.job for run in runs if _is_late(run, now - run.at)}
    if _no_worker_runs(runs, now):
        since = f" since {moment(max(run.at for run in runs))}" if runs else ""
        what = f"no worker runs{since}: sign-ins are not renewed, usage windows and models not updated"
        yield Diagnostic(Level.WRONG, "workers", what, "start one: poolgate up, or python -m workers")
        return
    for run in runs:
        if run.job in late and now - run.at < GONE_SECONDS:
            what = f"the background job {run.job} ran last at {moment(run.at)}"
            yield Diagnostic(Level.WRONG, "workers", what, "look at the worker's log, and restart it")
        elif run.job not in late and not run.ok:
            what = f"the background job {run.job} failed at {moment(run.at)}"
            yield Diagnostic(Level.WRONG, "workers", what, "look for job_failed in the worker's log")


def _is_late(run: JobRun, seconds: float) -> bool:
    """Return whether *seconds* are more than should pass between two runs of the job of *run*."""
    return seconds > LATE_PERIODS * run.every_seconds + LATE_SECONDS


def _no_worker_runs(runs: Sequence[JobRun], now: float) -> bool:
    """Return whether no job has run for longer than the most frequent one may pause."""
    if not runs:
        return True
    most_frequent = min(runs, key=lambda run: run.every_seconds)
    return _is_late(most_frequent, now - max(run.at for run in runs))
