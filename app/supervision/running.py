"""
The gateways that `poolgate up` runs on this machine: one file for each, under POOLGATE_HOME.

The file is locked while its gateway runs, so one that a killed gateway left behind is recognised. It
has no secret.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = "gateways"


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """
    A running gateway: `url` ends in /v1, `pages` is '' without pages, `key_name` is its first key.

    `store` is the address of its store without a password, '' where it is not known.
    """

    url: str
    pages: str
    key_name: str
    store: str = ""


@contextlib.contextmanager
def announced(home: Path, gateway: RunningGateway) -> Iterator[None]:
    """Let other commands find *gateway* inside the `with` block, unless *home* cannot be written."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            folder = home / FOLDER
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{os.getpid()}.json"
            file = stack.enter_context(path.open("wb"))
            stack.callback(_remove, path)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(json.dumps(asdict(gateway)).encode())
            file.flush()
        yield


def running(home: Path) -> list[RunningGateway]:
    """Return the gateways that run on this machine with *home*, by URL; removes the files of dead ones."""
    found = (_read(path) for path in sorted((home / FOLDER).glob("*.json")))
    return sorted((gateway for gateway in found if gateway is not None), key=lambda gateway: gateway.url)


def _read(path: Path) -> RunningGateway | None:
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return RunningGateway(**json.loads(file.read()))
            _remove(path)
    except (OSError, ValueError, TypeError):  # the file was just removed, or is not written yet
        pass
    return None


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
