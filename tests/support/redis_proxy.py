"""A proxy in front of Redis that withholds the reply to a script, as a stall or a network failure does."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.accounts.kinds import SCRIPT_KINDS
from app.stores.scripts import source


class RedisProxy:
    """Forwards each connection; `lose` withholds the reply to the next run of a script."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._digest = b""  # of the script whose reply is withheld; empty: none
        self._lock = threading.Lock()
        self.has_lost = threading.Event()  # Redis has answered, and the reply was withheld

    def lose(self, script: str) -> None:
        """Withhold the reply to the next run of *script*, which Redis must know already."""
        self.has_lost.clear()
        self._digest = hashlib.sha1(source(script, kinds=SCRIPT_KINDS).encode()).hexdigest().encode()

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.socket(socket.AF_UNIX) as redis:
            redis.connect(str(self._server))
            threading.Thread(target=self._return_replies, args=(redis, client), daemon=True).start()
            while data := client.recv(65536):
                if self._is_lost(data):
                    self._withhold(data)
                    while client.recv(65536):  # until it gives up
                        pass
                    return
                redis.sendall(data)

    def _is_lost(self, data: bytes) -> bool:
        with self._lock:
            if not self._digest or self._digest not in data:
                return False
            self._digest = b""
            return True

    def _withhold(self, command: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as redis:
            redis.connect(str(self._server))
            redis.sendall(command)
            assert not redis.recv(65536).startswith(b"-"), "Redis has refused the command"
        self.has_lost.set()

    def _return_replies(self, redis: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := redis.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def redis_proxy(server: Path, folder: Path) -> Iterator[tuple[str, RedisProxy]]:
    """Yield the URL of a proxy in front of the Redis with the socket *server*, and the proxy."""
    proxy, path = RedisProxy(server), folder / "proxy"

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                threading.Thread(target=proxy.serve, args=(client,), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(64)
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        yield f"unix://{path}", proxy
        listening.shutdown(socket.SHUT_RDWR)
