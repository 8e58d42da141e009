"""
Many processes that refresh the same tokens, again and again.

    python -m tests.support.refresh_rounds 10000     a long run, by hand
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.config import Settings
from app.wiring import build
from tests.support.issuer_client import Issuer, signed_in
from tests.support.redis import private_redis, short_folder

ROOT = Path(__file__).parents[2]


@contextmanager
def refreshing(environ: dict[str, str], **requested: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process of `tests.support.refreshing` that waits to be sent off."""
    default = {"pool": "default", "name": "ann", "forks": 1, "refreshers": 1, "rotation": 2, "die_at": ""}
    requested = default | requested
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.refreshing", json.dumps(requested)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its forks as well, if a test ends before them


def start_refresh(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()


def renew_together(
    environ: dict[str, str],
    processes: int,
    *,
    while_they_run: Callable[[], object] = lambda: None,
    **requested: Any,
) -> tuple[list[int], int]:
    """
    Return the rotations at which all refreshers of all processes ended, and how often one had no tokens.
    """
    rotations: list[int] = []
    without = 0
    runs = [refreshing(environ, **requested) for _ in range(processes)]
    running = [run.__enter__() for run in runs]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        for process in running:
            start_refresh(process)
        while_they_run()
        for process in running:
            assert process.stdout is not None
            for _ in range(requested.get("forks", 1)):
                reply = json.loads(process.stdout.readline())
                rotations += reply["rotations"]
                without += reply["without"]
    finally:
        for run in runs:
            run.__exit__(None, None, None)
    return rotations, without


def main(rounds: int) -> None:
    with private_redis() as url, short_folder() as home, Issuer() as issuer:
        environ = {"REDIS_URL": url, "POOLGATE_OAUTH_ISSUER": issuer.url, "POOLGATE_HOME": str(home)}
        environ["POOLGATE_STORE_TIMEOUT_MS"] = "5000"
        sign_in, _ = signed_in(build(Settings.from_environment(environ)), issuer)
        started = time.monotonic()
        renew_together(environ, 8, refreshers=2, rotation=rounds + 1)
        seconds, reply = time.monotonic() - started, issuer.sign_in_state(sign_in)
        print(f"{reply['exchanges']} exchanges in {seconds:.0f} s, {reply['reused']} of a used token")


if __name__ == "__main__":
    main(int(sys.argv[1]))
