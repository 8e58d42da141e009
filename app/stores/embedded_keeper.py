"""
The process that owns the private Redis server: `python embedded_keeper.py FOLDER SERVER`.

It starts the server, starts it again when it dies, and ends it when nobody needs it any
more. Who needs it holds the FIFO `owners` open for writing: the kernel closes that for a
process that was killed, so there is no pid to go stale and no heartbeat. The file `lock`
orders joining and leaving: both happen only while it is held.

Run by its path and without site-packages: it starts in 20 ms and stays small.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.05, 5.0  # before a dead server is started again
STEADY_SECONDS = 10.0  # a server that ran this long had not failed at its start
STOP_SECONDS = 30.0

CONFIG = """
port 0
unixsocket {socket}
unixsocketperm 600
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
auto-aof-rewrite-min-size 16mb
loglevel warning
"""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold *folder*'s lock, which is also let go when the process dies."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Keeper:
    """One server over one folder, and the FIFO of those who need it."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder, self.server, self.starts = folder, server, 0
        with contextlib.suppress(FileExistsError):
            os.mkfifo(folder / "owners", 0o600)
        self.owners = os.open(folder / "owners", os.O_RDONLY | os.O_NONBLOCK)

    def run(self) -> None:
        """Keep the server up until the last owner has left."""
        self._end_forgotten_server()
        child_died = _wakeups()
        poll = select.poll()
        poll.register(self.owners, select.POLLHUP)
        poll.register(child_died, select.POLLIN)
        process, started_at, wait = self._start(), time.monotonic(), FIRST_WAIT_SECONDS
        while not self._left(process):
            poll.poll(1000)  # either wakes it at once; the second is for an owner that never came
            with contextlib.suppress(BlockingIOError):
                os.read(child_died, 64)
            if process.poll() is None:
                continue
            if process.returncode > 0 and self.starts == 1:
                return  # it refuses its data or its place: waiting would not help, its log says why
            if time.monotonic() - started_at > STEADY_SECONDS:
                wait = FIRST_WAIT_SECONDS
            time.sleep(wait)
            process, started_at, wait = self._start(), time.monotonic(), min(wait * 2, LONGEST_WAIT_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        names = {"folder": self.folder, "socket": self.folder / "socket"}
        config = CONFIG.format(
            **{name: json.dumps(str(path), ensure_ascii=False) for name, path in names.items()}
        )
        self.starts += 1
        process = subprocess.Popen([self.server, "-"], stdin=subprocess.PIPE)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once, and will be noticed
            process.stdin.write(config.encode())
            process.stdin.close()
        return process

    def _left(self, process: subprocess.Popen[bytes]) -> bool:
        """End the server and say so, if nobody owns it; nobody can join meanwhile."""
        if self._is_owned():
            return False
        with locked(self.folder):
            if self._is_owned():
                return False
            _stop(process)
            os.close(self.owners)
            return True

    def _is_owned(self) -> bool:
        try:
            return os.read(self.owners, 1) != b""  # the end of a FIFO: it has no writer
        except BlockingIOError:
            return True

    def _end_forgotten_server(self) -> None:
        """End the server of a keeper that was killed: two on one append-only file would ruin it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(STOP_SECONDS)
            try:
                connection.connect(str(self.folder / "socket"))
            except (FileNotFoundError, ConnectionRefusedError):
                return
            connection.sendall(b"SHUTDOWN\r\n")
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(1024):
                    pass


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()  # the server writes the rest of its append-only file
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wakeups() -> int:
    """Return a descriptor that becomes readable when a child dies."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # only a handled signal reaches the descriptor
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def main(folder: Path, server: str) -> None:
    """Return once the FIFO can be opened for writing; a child of this process stays."""
    os.umask(0o077)
    os.chdir("/")
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(stop, signal.SIG_IGN)  # the owners drain first, and leaving is the signal
    keeper = Keeper(folder, server)
    if os.fork():
        return
    os.setsid()
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, replacement in ((0, null), (1, log), (2, log)):
        os.dup2(replacement, descriptor)
    keeper.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
