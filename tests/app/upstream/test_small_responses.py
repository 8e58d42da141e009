"""The size of lists, reports, tokens and errors is bounded, also when they are compressed."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.accounts.account import Account
from app.errors import BodyShape, UpstreamProtocolError, UpstreamRejected
from app.upstream import bounded_body, oauth
from app.upstream.body import Body
from app.upstream.client import UpstreamClient
from app.upstream.oauth import OAuth
from app.upstream.responses import ERROR_BODY_BYTES, MAX_JSON_BYTES

BOMB_BYTES = 64 * 1024 * 1024  # of 64 KiB compressed
BEGIN, END = b'{"error":{"code":"it_is_read"},"refresh_token":"', b'"}'


@lru_cache
def response_of(size: int, encoding: str) -> bytes:
    data = BEGIN + b"a" * (size - len(BEGIN) - len(END)) + END
    return gzip.compress(data) if encoding == "gzip" else data


class Handler(BaseHTTPRequestHandler):
    """Answer with a JSON object; the path sets its length, encoding and status."""

    def do_GET(self) -> None:
        _, size, encoding, status, *_ = self.path.split("/")
        data = response_of(int(size), encoding)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(data)))
        if encoding == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:  # the client has read enough
            self.close_connection = True

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def base_url() -> Iterator[str]:
    response_of(BOMB_BYTES, "gzip")  # takes seconds on a busy machine, during which a client would give up
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many bytes each read of a response inflated to."""
    lengths: list[int] = []
    read = Body.read

    def counted(body: Body, timeout_seconds: float) -> bytes | None:
        data = read(body, timeout_seconds)
        lengths.append(len(data or b""))
        return data

    monkeypatch.setattr(Body, "read", counted)
    return lengths


def get(base_url: str, path: str) -> object:
    client = UpstreamClient(connect_timeout_seconds=5.0, originator="o", user_agent="u")
    return client.get_json(Account("a", "a", "compatible", base_url, protocols=("chat",)), path)


ENCODINGS = pytest.mark.parametrize("encoding", ["identity", "gzip"])


class TestLists:
    @ENCODINGS
    def test_at_most_so_much(self, base_url: str, encoding: str) -> None:
        read = get(base_url, f"/{MAX_JSON_BYTES}/{encoding}/200")
        assert isinstance(read, dict)
        assert len(read["refresh_token"]) == MAX_JSON_BYTES - len(BEGIN) - len(END)
        with pytest.raises(UpstreamProtocolError, match="more than 4 MiB"):
            get(base_url, f"/{MAX_JSON_BYTES + 1}/{encoding}/200")

    def test_a_bomb_does_not_go_off(self, base_url: str, reads: list[int]) -> None:
        with pytest.raises(UpstreamProtocolError):
            get(base_url, f"/{BOMB_BYTES}/gzip/200")

        assert sum(reads) <= 2 * MAX_JSON_BYTES + 1


class TestErrors:
    def rejected(self, base_url: str, size: int, encoding: str) -> UpstreamRejected:
        with pytest.raises(UpstreamRejected) as raised:
            get(base_url, f"/{size}/{encoding}/400")
        return raised.value

    @ENCODINGS
    def test_at_most_so_much(self, base_url: str, encoding: str) -> None:
        """A longer error body is not parsed; the status alone decides."""
        assert self.rejected(base_url, ERROR_BODY_BYTES, encoding).code == "it_is_read"

        longer = self.rejected(base_url, ERROR_BODY_BYTES + 1, encoding)
        assert (longer.status, longer.code, longer.shape) == (400, "invalid_request_error", BodyShape.TEXT)

    def test_a_bomb_does_not_go_off(self, base_url: str, reads: list[int]) -> None:
        assert self.rejected(base_url, BOMB_BYTES, "gzip").status == 400

        assert sum(reads) <= 2 * ERROR_BODY_BYTES


class TestTokens:
    def refresh(self, base_url: str, size: int, encoding: str, status: int = 200) -> dict[str, str]:
        issuer = f"{base_url}/{size}/{encoding}/{status}"
        client = OAuth(issuer, connect_timeout_seconds=5, originator="o", user_agent="u")
        return client.refresh("token", "a test")

    @ENCODINGS
    def test_at_most_so_much(self, base_url: str, encoding: str) -> None:
        most = bounded_body.MAX_RESPONSE_BYTES
        assert len(self.refresh(base_url, most, encoding)["refresh_token"]) == most - len(BEGIN) - len(END)
        with pytest.raises(UpstreamProtocolError, match="too long"):
            self.refresh(base_url, most + 1, encoding)

    @pytest.mark.parametrize(("more", "code"), [(0, "it_is_read"), (1, "status_400")])
    def test_of_a_refusal(self, base_url: str, more: int, code: str) -> None:
        """A refusal whose body is too long is still recognized by its status."""
        with pytest.raises(UpstreamRejected) as raised:
            self.refresh(base_url, bounded_body.MAX_RESPONSE_BYTES + more, "gzip", 400)
        assert raised.value.code == code

    def test_a_bomb_does_not_go_off(self, base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        pieces: list[int] = []
        read = oauth.requests.Response.iter_content

        def counted(response: oauth.requests.Response, size: int) -> Iterator[bytes]:
            for piece in read(response, size):
                pieces.append(len(piece))
                yield piece

        monkeypatch.setattr(oauth.requests.Response, "iter_content", counted)
        with pytest.raises(UpstreamProtocolError, match="too long"):
            self.refresh(base_url, BOMB_BYTES, "gzip")

        assert max(pieces) <= bounded_body.PIECE_BYTES
        assert sum(pieces) <= bounded_body.MAX_RESPONSE_BYTES + bounded_body.PIECE_BYTES
