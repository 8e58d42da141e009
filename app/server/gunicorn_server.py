"""
Accept connections while slots and descriptors last, and refuse them with a clear error after that.

gevent's server stops accepting when its pool is full, and prints a traceback when the process is out
of descriptors; clients would wait, or be dropped without a byte.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import gevent
import structlog
from gevent.server import StreamServer

from app.descriptors import OUT_OF_DESCRIPTORS
from app.errors import OutOfDescriptors
from app.server.client_connections import HEAD_SECONDS, Connections, linger
from app.server.http_refusal import response_bytes

log = structlog.get_logger()

SPARES = 8  # descriptors that are reserved to refuse as many connections at once
RETRY_SECONDS = 0.05  # pause before the next check for descriptors
FREE_SHARE = 20  # one in so many slots stays free: waiting connections are closed to free it
REFUSAL_HEAD_BYTES = 65_536
REFUSAL_SECONDS = 0.5

connections = Connections()  # the connections of this process


class Server(StreamServer):  # type: ignore[misc]
    """gevent's server, with a separate limit on connections and descriptors."""

    max_accept = 16  # connections accepted in a row; then they run and can be closed

    def set_spawn(self, spawn: Any) -> None:
        super().set_spawn(spawn)
        self.full = self._is_full
        self._spares = [_spare() for _ in range(SPARES)]
        self._to_refuse = 0  # connections for which spare descriptors were freed
        self._again: Any = None  # the timer after which accepting resumes

    def _is_full(self) -> bool:
        """Return whether no connection can be accepted; close a waiting one when few slots are left."""
        if self.pool.free_count() <= self.pool.size // FREE_SHARE:
            connections.close_one()
        full = bool(self.pool.full())
        if full:  # gevent stops accepting until a slot is free
            self._resume_later()
        return full

    def do_read(self) -> Any:
        try:
            accepted = super().do_read()
        except OSError as error:
            if error.errno not in OUT_OF_DESCRIPTORS:
                raise
            self._make_room()
            return None
        if accepted and self._to_refuse:
            self._to_refuse -= 1
            gevent.spawn(self._refuse, accepted[0])
            return None
        return accepted

    def _make_room(self) -> None:
        """Free a descriptor: close a waiting connection, or use a spare one to refuse the next connection."""
        if connections.close_one():
            return
        if self._spares:
            os.close(self._spares.pop())
            self._to_refuse += 1
        else:
            self.stop_accepting()
            self._resume_later()

    def _resume_later(self) -> None:
        if self._again is None:
            self._again = self.loop.timer(RETRY_SECONDS)
            self._again.start(self._accept_again)

    def _accept_again(self) -> None:
        self._again.close()
        self._again = None
        self._start_accepting_if_started()

    def _refuse(self, sock: Any) -> None:
        log.warning("out_of_descriptors", at="accept")
        try:
            with suppress(OSError), gevent.Timeout(REFUSAL_SECONDS, False):
                _read_head(sock)
            with suppress(OSError), gevent.Timeout(REFUSAL_SECONDS, False):
                sock.sendall(response_bytes(OutOfDescriptors()))
                linger(sock, REFUSAL_SECONDS)
        finally:
            sock.close()
            self._replenish()

    def _replenish(self) -> None:
        with suppress(OSError):  # other code took the descriptor; enough remain, or none is needed
            self._spares.append(_spare())

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        """Serve a TLS connection if its handshake ends in time."""
        wrapped = None
        with gevent.Timeout(HEAD_SECONDS, False):
            wrapped = self.wrap_socket(client_socket, **self.ssl_args)
        if wrapped is None:
            return None
        try:
            return self.handle(wrapped, address)
        finally:
            wrapped.close()


def _spare() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _read_head(sock: Any) -> None:
    """Read a request's head, as far as it has arrived."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < REFUSAL_HEAD_BYTES and (data := sock.recv(16_384)):
        head += data
