"""
Connections to upstreams, and pools of them: they lead where `addresses` lets them, and send a
request's head together with its body, in one packet where both fit.
"""

from __future__ import annotations

import socket
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from app.sockets import send_all
from app.upstream.addresses import check

JOINED_BYTES = 1024 * 1024  # of a whole request; to copy more costs more than another system call


class _Upstream:
    """Leads where it may, and holds back what `request` sends until all of it is there."""

    names_may_be_private = True
    sock: Any
    _held: list[Any] | None = None

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        return check(self, made, names_may_be_private=self.names_may_be_private)  # type: ignore[arg-type]

    def request(self, *args: Any, **options: Any) -> None:
        held: list[Any] = []
        self._held = held
        try:
            super().request(*args, **options)  # type: ignore[misc]
        finally:
            self._held = None
        whole = sum(len(data) for data in held) <= JOINED_BYTES
        for data in (b"".join(held),) if whole else held:
            self.send(data)

    def send(self, data: Any) -> None:
        if self._held is not None:
            self._held.append(data)
        elif self.sock is None:
            super().send(data)  # type: ignore[misc]  # connects first
        else:
            send_all(self.sock, data)


class _Anywhere(_Upstream, HTTPConnection):
    pass


class _AnywhereByTls(_Upstream, HTTPSConnection):
    pass


class _Public(_Upstream, HTTPConnection):
    names_may_be_private = False


class _PublicByTls(_Upstream, HTTPSConnection):
    names_may_be_private = False


class _AnywherePool(HTTPConnectionPool):
    ConnectionCls = _Anywhere


class _AnywhereTlsPool(HTTPSConnectionPool):
    ConnectionCls = _AnywhereByTls


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _Public


class _PublicTlsPool(HTTPSConnectionPool):
    ConnectionCls = _PublicByTls


ANYWHERE = {"http": _AnywherePool, "https": _AnywhereTlsPool}
PUBLIC = {"http": _PublicPool, "https": _PublicTlsPool}
