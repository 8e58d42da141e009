"""
The bench's clients: `python -m tests.bench.clients` reads a `Load` as JSON and prints what it saw.

Each further line of its input starts the load again. A separate process, so that its cost is not
counted. Connections are persistent, and every answer is checked: dropped events or an early end
do not count as speed.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import re  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import orjson  # noqa: E402

from app.streaming.chunked import ChunkedDecoder  # noqa: E402
from tests.bench.load import Load  # noqa: E402

_DELTAS = {"chat": b'"content":"tok ', "responses": b'"type":"response.output_text.delta"'}
_ENDS = {"chat": b"data: [DONE]\n\n", "responses": b"\n\n"}
_SENT_AT = re.compile(rb'(?:"content"|"delta"):"tok (\d+)')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Clients:
    def __init__(self, load: Load) -> None:
        self.load = load
        body = orjson.dumps(load.body)
        self.request = (
            f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\n"
            f"Authorization: Bearer {load.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        self.sockets: list[socket.socket] = []
        self.left = 0
        self.complete: list[float] = []  # seconds from request to last byte
        self.first: list[float] = []  # … to the first byte of the response's body
        self.lags: list[float] = []  # … from an event's departure to its arrival
        self.open = self.events = 0
        self.bad: list[str] = []

    def run(self) -> None:
        """Send the requests of the load once."""
        self.left, self.complete, self.first = self.load.requests, [], []
        self.sockets = self.sockets or [self._connect() for _ in range(self.load.clients)]
        started = time.monotonic()
        clients = [gevent.spawn(self._client, sock) for sock in self.sockets]
        if self.load.window_seconds:
            self._watch()
        gevent.joinall(clients)
        self._report("done", seconds=time.monotonic() - started, requests=len(self.complete))

    def _watch(self) -> None:
        while self.open < self.load.clients and not self.bad:
            gevent.sleep(0.02)
        self.lags, started = [], time.monotonic()
        self._report("open")
        for _ in range(self.load.windows):
            before = self.events
            gevent.sleep(self.load.window_seconds)
            self._report("window", events=self.events - before)
        self._report("watched", lag=quantiles(self.lags), seconds=time.monotonic() - started)

    def _report(self, moment: str, **more: Any) -> None:
        report = {"moment": moment, "bad": len(self.bad), "why": self.bad[:3], **more}
        if moment == "done":
            report |= {"whole": quantiles(self.complete), "first": quantiles(self.first)}
        print(orjson.dumps(report).decode(), flush=True)

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.load.port), 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(120)
        return sock

    def _client(self, sock: socket.socket) -> None:
        while self.left > 0:
            self.left -= 1
            try:
                if fault := self._send_request(sock):
                    self.bad.append(fault)
                    return
            except OSError as error:
                self.bad.append(repr(error))
                return

    def _send_request(self, sock: socket.socket) -> str:
        """Send one request and read its response; return what is wrong with it, "" if nothing is."""
        began = time.monotonic()
        sock.sendall(self.request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += (more := sock.recv(262144))
            if not more:
                return "closed before its headers"
        head, _, data = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        content = self._fixed(sock, data, int(length[1])) if length else self._chunked(sock, data, began)
        if content is None:
            return "closed in the middle"
        self.complete.append(time.monotonic() - began)
        return (
            "" if head.startswith(b"HTTP/1.1 200") and self._is_complete(content) else f"{head!r} {content!r}"
        )

    def _fixed(self, sock: socket.socket, data: bytes, length: int) -> bytes | None:
        while len(data) < length:
            data += (more := sock.recv(262144))
            if not more:
                return None
        return data

    def _chunked(self, sock: socket.socket, data: bytes, began: float) -> bytes | None:
        chunks, pieces, opened = ChunkedDecoder(), [], False
        while True:
            if content := chunks.decode_chunks(data) if data else b"":
                if not opened:
                    opened = True
                    self.open += 1
                    self.first.append(time.monotonic() - began)
                pieces.append(content)
                if self.load.window_seconds:
                    self._note_lags(content)
            if chunks.done:
                return b"".join(pieces)
            data = sock.recv(262144)
            if not data:
                return None

    def _note_lags(self, content: bytes) -> None:
        now = time.monotonic_ns()
        for sent_at in _SENT_AT.findall(content):
            self.events += 1
            self.lags.append((now - int(sent_at)) / 1e9)

    def _is_complete(self, content: bytes) -> bool:
        load = self.load
        if load.body.get("stream"):
            return content.count(_DELTAS[load.wire]) == load.deltas and content.endswith(_ENDS[load.wire])
        payload = orjson.loads(content)
        if load.wire == "chat":
            text = payload["choices"][0]["message"]["content"]
        else:
            text = payload["output"][0]["content"][0]["text"]
        return bool(text == "tok " * load.deltas)


def quantiles(seconds: list[float]) -> dict[str, float] | None:
    """Return p50 and p99 in milliseconds, None of nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return {f"p{p}": round(ordered[(len(ordered) - 1) * p // 100] * 1000, 3) for p in (50, 99)}


if __name__ == "__main__":
    clients = Clients(Load(**orjson.loads(sys.stdin.buffer.readline())))
    clients.run()
    while sys.stdin.buffer.readline():
        clients.run()
