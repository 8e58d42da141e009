"""What every test may use, and the guard that none of them reaches past this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from app.stores.client import make_client
from tests.support.redis import private_redis

# how long an example takes says something of the machine, and nothing of the code
settings.register_profile("poolgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("poolgate")

pytest_plugins = ["tests.support.issuer_fixtures", "tests.support.upstream_fixtures"]


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real server of this test process's own (so of each xdist worker's)."""
    with private_redis() as url:
        yield url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[Any]:
    """A client of an empty database."""
    client = make_client(redis_url, 5.0)
    client.flushall()
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets connect to loopback and Unix paths alone: tests neither need nor touch the Internet."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
            pytest.fail(f"a test tried to connect to {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback
