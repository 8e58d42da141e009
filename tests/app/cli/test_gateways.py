"""The gateways of this machine, which commands find."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.cli.gateways import check_gateways, find_gateways, pages_url
from app.config import Settings
from app.stores import private_server
from app.supervision.running import RunningGateway
from tests.app.cli.conftest import Run
from tests.support.ports import free_port

Serve = Callable[[int, bytes], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer /health/ready with this status and body; returns the port."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, body: bytes) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/health/ready" else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return int(server.server_port)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


READY = b'{"status":"ready"}'


def settings_of(home: Path, port: int | None = None, **variables: str) -> Settings:
    return Settings.from_environment(
        {"POOLGATE_HOME": str(home), "PORT": str(port or free_port()), **variables}
    )


def test_one_that_gunicorn_runs(serve: Serve, tmp_path: Path) -> None:
    """It is not announced, but answers at the address of the settings."""
    port = serve(200, READY)

    (found,) = find_gateways(settings_of(tmp_path, port))

    assert found.is_ready
    assert found.gateway == RunningGateway(
        f"http://127.0.0.1:{port}/v1", f"http://127.0.0.1:{port}/admin/", ""
    )


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b'{"status":"ok"}'), (404, READY), (200, READY * 1000)]
)
def test_another_server_at_this_port(serve: Serve, tmp_path: Path, status: int, body: bytes) -> None:
    assert find_gateways(settings_of(tmp_path, serve(status, body))) == []


def test_one_that_is_ready_comes_first(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = RunningGateway(f"http://127.0.0.1:{serve(200, READY)}/v1", "", "first")
    hanging = RunningGateway("http://127.0.0.1:1/v1", "", "first")
    monkeypatch.setattr("app.cli.gateways.running", lambda _: [hanging, ready])

    found = find_gateways(settings_of(tmp_path))

    assert [(one.gateway, one.is_ready) for one in found] == [(ready, True), (hanging, False)]
    assert check_gateways(settings_of(tmp_path), found) == []
    (finding,) = check_gateways(settings_of(tmp_path), found[1:])
    assert finding.what == "http://127.0.0.1:1/v1 is not ready, so requests are refused"


def test_none_runs(tmp_path: Path) -> None:
    """With a store that other machines may use, gateways may run there."""
    (finding,) = check_gateways(settings_of(tmp_path), [])

    assert (finding.level, finding.what) == (
        "wrong",
        "no gateway runs on this machine, so requests are not answered",
    )
    assert check_gateways(settings_of(tmp_path, REDIS_URL="redis://store.example.com"), []) == []


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"POOLGATE_ADMIN": "off"}, ""),
        ({"POOLGATE_ADMIN": "127.0.0.1:9001"}, "http://127.0.0.1:9001/admin/"),
        ({"POOLGATE_BIND": "::"}, "http://[::1]:8123/admin/"),
    ],
)
def test_address_of_the_pages(tmp_path: Path, variables: dict[str, str], url: str) -> None:
    assert pages_url(settings_of(tmp_path, 8123, **variables)) == url


class TestCommandsWithoutGateway:
    def test_chat(self, poolgate: Run) -> None:
        """It sends nothing anywhere, and names what to do."""
        result = poolgate("chat gpt-5 Hello", POOLGATE_KEY="sk-pg-default-x")

        assert result.exit_code == 1
        assert result.stderr == (
            "Error: No gateway runs on this machine: start one: poolgate up, or give the --url of another\n"
        )

    def test_snippet(self, poolgate: Run) -> None:
        """The snippet is printed, with the address that `poolgate up` would have."""
        result = poolgate("snippet curl", PORT="8123")

        assert "http://127.0.0.1:8123/v1/chat/completions" in result.stdout
        assert result.stderr.startswith(
            "Warning: no gateway runs on this machine; http://127.0.0.1:8123/v1 is where `poolgate up` would."
        )

    def test_open(self, poolgate: Run) -> None:
        result = poolgate("open --print")

        assert (result.exit_code, result.stderr) == (
            1,
            "Error: No gateway runs on this machine: start one: poolgate up\n",
        )

    def test_status_and_doctor(self, poolgate: Run, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """With a private store, it is a finding, and the exit status is 1."""
        monkeypatch.setattr(private_server, "url", lambda _: redis_url)

        status, doctor = poolgate("status --json"), poolgate("doctor")

        assert (status.exit_code, doctor.exit_code) == (1, 1)
        assert json.loads(status.stdout)["gateways"] == []
        assert "no gateway runs on this machine" in doctor.stdout
