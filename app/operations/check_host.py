"""What is wrong on this machine: the disk, the file of secret keys, the spool, and the background jobs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from app.ledger.dead_letters import DeadLetters
from app.ledger.spool import Spool
from app.operations.diagnostic import NOTE, WRONG, Finding
from app.operations.formatting import moment
from app.stores import keys, private_server
from app.stores.client import store_errors

MIN_BYTES, FEW_BYTES = 200 * 1024**2, 1024**3  # free, where the private server and the spool write
REPAIR_SECONDS = 86400
LATE_PERIODS, LATE_SECONDS = 3, 60  # a job may be as late as this
GONE_SECONDS = 7 * 86400  # one that did not run for so long, while others did, is of a former version


def disk(home: Path) -> Iterator[Finding]:
    """Yield whether there is room under *home*."""
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < FEW_BYTES:
        level = WRONG if free < MIN_BYTES else NOTE
        what = f"{free / 1024**2:.0f} MiB of disk are left"
        yield Finding(level, str(home), what, "make room, or set POOLGATE_HOME to another disk")


def secret_file(path: Path) -> Iterator[Finding]:
    """Yield whether others than its owner may read the secret keys in *path*."""
    if path.exists() and path.stat().st_mode & 0o077:
        yield Finding(WRONG, str(path), "others may read the secret keys", f"chmod 600 {path}")


def repairs(home: Path, now: float) -> Iterator[Finding]:
    """Yield what was repaired of the private server under *home* in the last day, by kind."""
    latest: dict[str, list[float]] = {}
    for at, what in private_server.events(home, now - REPAIR_SECONDS):
        latest.setdefault(what, []).append(at)
    for what, times in latest.items():
        often = f" ({len(times)} times)" if len(times) > 1 else ""
        fix = f"nothing to do now; if it happens again, look at {home / 'redis' / 'log'} and for who ended it"
        yield Finding(NOTE, "redis", f"at {moment(times[-1])} {what}{often}", fix)


def spool(folder: Path) -> Iterator[Finding]:
    """Yield whether settlements of an earlier process wait in *folder*."""
    if files := Spool(folder).files():
        what = f"{len(files)} files of settlements wait to be booked"
        yield Finding(NOTE, "books", what, "the next start of a web process on this machine books them")


def dead_letters(home: Path) -> Iterator[Finding]:
    """Yield whether settlements were refused or came too late, which are in a file under *home*."""
    letters = DeadLetters(home)
    if count := letters.count():
        what = f"the store did not book {count} settlements; it charged their requests at their upper bound"
        remedy = (
            f"report it with the lines of {letters.path}, which have the real amounts; then remove the file"
        )
        yield Finding(WRONG, "books", what, remedy)


def jobs(client: Any) -> Iterator[Finding]:
    """Yield which background jobs are late, and which failed when they ran last."""
    with store_errors():
        told = {name: orjson.loads(text) for name, text in client.hgetall(keys.JOB_RUNS).items()}
        now, _ = client.time()
    late = {
        name: run
        for name, run in told.items()
        if now - run["at"] > LATE_PERIODS * run["every_seconds"] + LATE_SECONDS
    }
    if len(late) == len(told):
        last = f" since {moment(max(run['at'] for run in late.values()))}" if late else ""
        what = f"no worker runs{last}: sign-ins are not renewed, windows and models not asked for"
        yield Finding(WRONG, "workers", what, "start one: python -m workers")
        return
    for name, run in sorted(told.items()):
        if name in late and now - run["at"] < GONE_SECONDS:
            what = f"the job `{name}` ran last at {moment(run['at'])}"
            yield Finding(WRONG, "workers", what, "look at the worker's log, and start it anew")
        elif name not in late and not run["ok"]:
            what = f"the job `{name}` failed at {moment(run['at'])}"
            yield Finding(WRONG, "workers", what, "look for job_failed in the worker's log")
