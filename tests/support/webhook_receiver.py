"""A receiver of webhooks on loopback that answers by a script, and records what it receives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

MAX_HEADER_SECONDS = 30.0  # of a response that never begins, unless `release` is called


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = orjson.loads(self.body)
        return value

    def alerts(self) -> list[tuple[str, str]]:
        """Return the (status, key) of each alert of a message in JSON."""
        return [(alert["status"], alert["key"]) for alert in self.json()["data"]["alerts"]]


@dataclass
class Receiver:
    """`statuses` are the statuses of the next responses, then 204; None: no response until `release`."""

    port: int
    received: list[Received] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    release: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=t0ken"

    def take(self) -> list[Received]:
        """Return the messages that arrived since the last call."""
        taken, self.received = self.received, []
        self.arrived.clear()
        return taken


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.statuses.pop(0) if receiver.statuses else 204
            receiver.received.append(Received(self.path, headers, body))
            receiver.arrived.set()
            if status is None:
                receiver.release.wait(MAX_HEADER_SECONDS)
                return
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
