"""
Clients over WebSocket: `python -m tests.bench.websocket_clients` reads a `SocketLoad` as JSON in one line.

It prints what it saw at each moment, and goes on with the next line of its input.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import re  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
import orjson  # noqa: E402

from tests.bench.clients import quantiles  # noqa: E402
from tests.bench.load import SocketLoad  # noqa: E402

_SENT_AT = re.compile(rb'"delta":"tok (\d+)')
_END = b'"type":"response.completed"'
MASK = bytes(4)  # of zeros: it changes nothing


class SocketClients:
    def __init__(self, load: SocketLoad) -> None:
        self.load = load
        message = {"type": "response.create", "model": load.model, "max_output_tokens": 1000, "input": "Hi"}
        payload = orjson.dumps(message)
        assert len(payload) < 126
        self.request = bytes((0x81, 0x80 | len(payload))) + MASK + payload
        self.idle: list[socket.socket] = []
        self.lags: list[float] = []
        self.streaming: set[socket.socket] = set()

    def run(self) -> None:
        with self._connect(self.load.key) as sock:
            self._respond(sock)  # what the first one takes is not of each
        report("begun")
        self.idle = [self._connect(self.load.key) for _ in range(self.load.idle)]
        report("connected")
        for sock in self.idle:
            self._respond(sock)
        report("idle")
        active = [gevent.spawn(self._active) for _ in range(self.load.active)]
        while len(self.streaming) < self.load.active:
            gevent.sleep(0.02)
            for each in active:
                each.get(block=False) if each.ready() else None
        report("active")
        gevent.sleep(0.2)
        self.lags = []
        gevent.sleep(self.load.seconds)
        report("watched", events=len(self.lags), lag=quantiles(self.lags))

    def _connect(self, key: str) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.load.port), 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(60)
        head = (
            "GET /v1/responses HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Authorization: Bearer {key}\r\n\r\n"
        )
        sock.sendall(head.encode())
        response = b""
        while not response.endswith(b"\r\n\r\n"):
            response += (more := sock.recv(4096))
            assert more, response
        assert response.startswith(b"HTTP/1.1 101 "), response
        return sock

    def _respond(self, sock: socket.socket) -> None:
        """Send a request, and read until its response has ended."""
        sock.sendall(self.request)
        data, tail = b"", b""
        while _END not in tail + data:
            tail = data[-len(_END) :]
            data = sock.recv(262144)
            assert data, "closed in the middle"
            assert b'"type":"error"' not in data, data
            now = time.monotonic_ns()
            lags = [(now - int(sent_at)) / 1e9 for sent_at in _SENT_AT.findall(data)]
            if lags:
                self.lags += lags
                self.streaming.add(sock)

    def _active(self) -> None:
        with self._connect(self.load.active_key) as sock:
            while True:
                self._respond(sock)


def report(moment: str, **more: object) -> None:
    print(orjson.dumps({"moment": moment, **more}).decode(), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    SocketClients(SocketLoad(**orjson.loads(sys.stdin.readline()))).run()
