"""A proxy between a client and the gateway, which records requests and the headers of their responses."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = ("connection", "transfer-encoding", "keep-alive", "date", "server")


@dataclass(frozen=True)
class Exchange:
    """A request as the client sent it, and what its response said."""

    path: str
    body: dict[str, Any]
    status: int
    headers: dict[str, str]  # of the response, names in lower case

    @property
    def ignored(self) -> list[str]:
        """What the gateway names as not sent to the account."""
        return [name for name in self.headers.get("x-poolgate-ignored", "").split(", ") if name]


@dataclass
class Recorder:
    url: str
    exchanges: list[Exchange] = field(default_factory=list)


@contextmanager
def recording(target: str) -> Iterator[Recorder]:
    """Yield a recorder that serves at its `url` what *target* serves."""
    address = urlsplit(target)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    recorder = Recorder(f"http://127.0.0.1:{server.server_port}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._forward(b"")

        def do_POST(self) -> None:
            self._forward(self.rfile.read(int(self.headers["content-length"])))

        def _forward(self, body: bytes) -> None:
            connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                connection.request(self.command, self.path, body or None, headers)
                response = connection.getresponse()
                seen = {name.lower(): value for name, value in response.getheaders()}
                if body:
                    recorder.exchanges.append(Exchange(self.path, json.loads(body), response.status, seen))
                self.send_response(response.status)
                for name, value in seen.items():
                    if name not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("connection", "close")
                self.end_headers()
                while data := response.read1(65536):
                    self.wfile.write(data)
            except OSError:
                pass  # the client left
            finally:
                connection.close()

        def log_message(self, *args: Any) -> None:
            pass

    server.RequestHandlerClass = Handler
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
