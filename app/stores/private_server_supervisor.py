"""
The supervisor of the private Redis server: `python private_server_supervisor.py FOLDER SERVER`.

It starts the server, restarts it when it dies, continues it when it was stopped, and ends it when no
process needs it. A process that needs it holds the FIFO `owners` open for
writing: the kernel closes that for a process that was killed, so there is no heartbeat. The
file `lock` orders joining and leaving: both happen only while it is held.

The supervisor may be killed itself: the owners then start another one (see `private_server.watch`),
which takes over the server that is still running. The file `server` prevents two servers on one
append-only file: the server inherits a lock on it, which ends with its last process. The file holds
the server's process id. `events` lists what was repaired, for `poolgate doctor`.

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

FIRST_WAIT_SECONDS = 0.05  # pause before a dead server is started again; doubled each time
KILLED_WAIT_SECONDS, FAILED_WAIT_SECONDS = 1.0, 5.0  # longest pause: killed by a signal, or ended by itself
STEADY_SECONDS = 10.0  # after a run of this length the pause is FIRST_WAIT_SECONDS again
STOP_SECONDS = 30.0
CHECK_SECONDS = 0.5  # interval of the checks for a stopped server
MAX_EVENTS_BYTES = 32 * 1024

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
    """Hold the lock of *folder*; the kernel releases it when the process dies."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Server:
    """A running server; *child* is None if a supervisor that was killed started it."""

    def __init__(self, folder: Path, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.folder, self.pid, self.child = folder, pid, child
        self.started_at = time.monotonic()
        self.death: int | None = None  # descriptor that becomes readable when the process ends
        if hasattr(os, "pidfd_open"):  # on Linux; elsewhere the end is noticed within CHECK_SECONDS
            with contextlib.suppress(ProcessLookupError):
                self.death = os.pidfd_open(pid)

    def is_alive(self) -> bool:
        if self.child is not None:
            return self.child.poll() is None
        return pid_of_server(self.folder) == self.pid

    def is_stopped(self) -> bool:
        """Return whether a signal stopped the server; without /proc, whether it does not answer."""
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return not Path("/proc/self").exists() and not _responses(self.folder / "socket")
        return status.rpartition(")")[2].split()[0] == "T"

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def stop(self) -> None:
        """End the server; it first writes the rest of its append-only file."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        deadline = time.monotonic() + STOP_SECONDS
        while self.is_alive():
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
            time.sleep(0.01)

    def close(self) -> str:
        """Release a dead server, end its remaining processes, and return how it ended."""
        if self.death is not None:
            os.close(self.death)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # a child that rewrites the file also holds its lock
            while pid_of_server(self.folder) is not None:
                time.sleep(0.005)
        if self.child is None:
            return "ended"
        code = self.child.returncode
        return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"


class PrivateServerSupervisor:
    """Supervises the server of one folder, and holds the FIFO of its owners."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder, self.program = folder, server
        with contextlib.suppress(FileExistsError):
            os.mkfifo(folder / "owners", 0o600)
        self.owners = os.open(folder / "owners", os.O_RDONLY | os.O_NONBLOCK)
        self.had_owners = self._is_owned()  # the process that starts this one opens the FIFO later
        self.child_died = -1

    def run(self) -> None:
        """Run the server until the last owner has left."""
        self.child_died = _wakeups()
        (self.folder / "keeper").write_text(f"{os.getpid()}\n", encoding="ascii")
        server, wait = self._take_over() or self._start(), FIRST_WAIT_SECONDS
        first = server
        while not self._left(server):
            self._sleep(server)
            if server.is_alive():
                self._continue(server)
                continue
            how = server.close()
            failed = server.child is not None and server.child.returncode > 0
            if failed and server is first:
                return  # it cannot use its data or folder, so waiting is of no use; its log has the reason
            if time.monotonic() - server.started_at > STEADY_SECONDS:
                wait = FIRST_WAIT_SECONDS
            time.sleep(wait)
            server, wait = (
                self._start(),
                min(wait * 2, FAILED_WAIT_SECONDS if failed else KILLED_WAIT_SECONDS),
            )
            record(self.folder, f"the private server {how}; started it again")

    def _take_over(self) -> Server | None:
        """Return the server of a supervisor that was killed, or None."""
        while (pid := pid_of_server(self.folder)) == 0:
            time.sleep(0.01)  # the server has not written its process id yet
        if pid is not None:
            record(self.folder, "the supervisor of the private server was not running; started it")
            return Server(self.folder, pid)
        if self.had_owners:
            record(self.folder, "the private server and its supervisor were not running; started both")
        self._end_server_without_lock()
        return None

    def _start(self) -> Server:
        names = {"folder": self.folder, "socket": self.folder / "socket"}
        config = CONFIG.format(
            **{name: json.dumps(str(path), ensure_ascii=False) for name, path in names.items()}
        )
        lock = _server_file(self.folder)
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be checking it
        os.truncate(lock, 0)
        child = subprocess.Popen(
            [self.program, "-"],
            stdin=subprocess.PIPE,
            pass_fds=(lock,),
            process_group=0,
            preexec_fn=lambda: _write_pid(lock),
        )
        os.close(lock)
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the server died immediately, which the loop notices
            child.stdin.write(config.encode())
            child.stdin.close()
        return Server(self.folder, child.pid, child)

    def _sleep(self, server: Server) -> None:
        """Wait until the last owner leaves, the server dies, or CHECK_SECONDS pass."""
        poll = select.poll()
        poll.register(self.owners, select.POLLHUP)
        for descriptor in (self.child_died, server.death):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        poll.poll(CHECK_SECONDS * 1000)
        with contextlib.suppress(BlockingIOError):
            os.read(self.child_died, 64)

    def _continue(self, server: Server) -> None:
        if server.is_stopped():
            server.signal(signal.SIGCONT)
            record(self.folder, "the private server was stopped by a signal; continued it")

    def _left(self, server: Server) -> bool:
        """If no process owns the server, end it and return True; holding the lock, none can join."""
        if self._is_owned():
            return False
        with locked(self.folder):
            if self._is_owned():
                return False
            server.stop()
            (self.folder / "keeper").unlink(missing_ok=True)
            os.close(self.owners)
            return True

    def _is_owned(self) -> bool:
        try:
            return os.read(self.owners, 1) != b""  # end of file: the FIFO has no writer
        except BlockingIOError:
            return True

    def _end_server_without_lock(self) -> None:
        """End the server of an earlier version, which had no lock: two servers would corrupt the file."""
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


def pid_of_server(folder: Path) -> int | None:
    """Return the process id of the server of *folder*; 0: not written yet, None: no server."""
    descriptor = _server_file(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(descriptor, 32, 0).strip(b"\0\n") or 0)
    else:
        os.truncate(descriptor, 0)  # so that a starting server is not mistaken for the previous one
        return None
    finally:
        os.close(descriptor)


def record(folder: Path, what: str) -> None:
    """Append a repair to the events; the oldest half is dropped when the file grows too large."""
    path, line = folder / "events", json.dumps({"at": int(time.time()), "what": what}) + "\n"
    with contextlib.suppress(OSError):  # a full disk must not prevent repairs
        if path.exists() and path.stat().st_size > MAX_EVENTS_BYTES:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(lines[len(lines) // 2 :]), encoding="utf-8")
        with open(
            path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)
        ) as file:
            file.write(line)


def _server_file(folder: Path) -> int:
    return os.open(folder / "server", os.O_RDWR | os.O_CREAT, 0o600)


def _write_pid(lock: int) -> None:
    """Write the process id; runs in the child before exec, so that it is there while the lock is held."""
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _responses(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(CHECK_SECONDS)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return bool(connection.recv(1))
        except OSError:
            return False


def _wakeups() -> int:
    """Return a descriptor that becomes readable when a child dies."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a signal that is ignored does not reach the descriptor
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def main(folder: Path, server: str) -> None:
    """Fork the supervisor; return when the FIFO can be opened for writing."""
    os.umask(0o077)
    os.chdir("/")
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        # Owners finish their work first; the server ends once they have left
        signal.signal(stop, signal.SIG_IGN)
    supervisor = PrivateServerSupervisor(folder, server)
    if os.fork():
        return
    os.setsid()
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, replacement in ((0, null), (1, log), (2, log)):
        os.dup2(replacement, descriptor)
    supervisor.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
