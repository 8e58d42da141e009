"""Clients that `.ci/run` installs into environments of their own: they need much, or other versions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.clients.agents import DEAD_END

VARIABLE = "POOLGATE_CLIENTS"  # the folder of the environments


def program(environment: str, name: str) -> str:
    """Return the path of a program in *environment*; skips the test where that is not installed."""
    path = Path(os.environ.get(VARIABLE, "/nowhere")) / environment / "bin" / name
    if not path.exists():
        pytest.skip(f"{VARIABLE} has no {environment}")
    return str(path)


def run(
    command: Sequence[str],
    home: Path,
    secret: str,
    more: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> str:
    """
    Return what *command* prints, run in *home* with *secret* in POOLGATE_KEY, and without the Internet.

    Fails if its status is not 0.
    """
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "POOLGATE_KEY": secret,
        "HTTPS_PROXY": DEAD_END,
        "HTTP_PROXY": DEAD_END,
        "NO_PROXY": "127.0.0.1,localhost",
        **(more or {}),
    }
    done = subprocess.run(
        command,
        cwd=home,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
