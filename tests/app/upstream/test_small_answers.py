"""What is read of an upstream's lists and reports has a bound, also where it comes compressed."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.errors import UpstreamProtocolError
from app.pool.account import Account
from app.upstream.client import MAX_JSON_BYTES, UpstreamClient


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, size, encoding = self.path.split("/")
        data = b'"' + b"a" * (int(size) - 2) + b'"'
        if encoding == "gzip":
            data = gzip.compress(data)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        if encoding == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def base_url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_so_much_and_no_more(base_url: str, encoding: str) -> None:
    client = UpstreamClient(connect_timeout_seconds=5.0, originator="o", user_agent="u")
    account = Account("a", "a", "compatible", base_url, wires=("chat",))

    read = client.get_json(account, f"/{MAX_JSON_BYTES}/{encoding}")
    assert isinstance(read, str)
    assert len(read) == MAX_JSON_BYTES - 2
    with pytest.raises(UpstreamProtocolError, match="more than 4 MiB"):
        client.get_json(account, f"/{MAX_JSON_BYTES + 1}/{encoding}")
