"""Fixtures for all tests, and the guard against connections beyond this machine."""

from __future__ import annotations

import ipaddress
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings

from app.stores.client import make_client
from tests.support.isolation import greenlets_ended, logging_restored
from tests.support.redis import assert_no_gateway_uses, private_redis

# the duration of an example depends on the machine, not on the code
settings.register_profile("poolgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("poolgate"), max_examples=20)  # for .ci/quick
settings.load_profile("poolgate")

pytest_plugins = ["tests.support.issuer_fixtures", "tests.support.upstream_fixtures"]


def pytest_configure() -> None:
    """Let processes that tests start react to Ctrl-C, also if a shell started pytest in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real server of this test process's own (so of each xdist worker's), which tests may empty."""
    with private_redis() as url:
        yield url


@pytest.fixture(scope="session")
def gateways_redis_url() -> Iterator[str]:
    """A second one, for gateways that serve many tests: they write at any moment, and no test empties it."""
    with private_redis() as url:
        yield url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[Any]:
    """A client of an empty database. Fails where a gateway that runs uses it."""
    assert_no_gateway_uses(redis_url)
    client = make_client(redis_url, 5.0)
    client.flushall()
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave neither greenlets nor a configuration of logs to the next test."""
    with logging_restored(monkeypatch), greenlets_ended(monkeypatch):
        yield


@pytest.fixture(autouse=True)
def _close_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Close the connections to Redis that the test opened.

    Stores are not closed explicitly. If the garbage collector finds a socket before the connection that would
    close it, Python warns, and the test that happens to run then fails.
    """
    pools: list[Any] = []
    from_url = redis.BlockingConnectionPool.from_url

    def recorded(*args: Any, **options: Any) -> Any:
        pools.append(from_url(*args, **options))
        return pools[-1]

    monkeypatch.setattr(redis.BlockingConnectionPool, "from_url", recorded)
    yield
    for pool in pools:
        pool.disconnect()  # also those that a client retains for its next calls


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets connect to loopback and Unix paths alone: tests neither need nor touch the Internet."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def resolved(host: Any, *args: Any, **more: Any) -> Any:
        if host and not _is_address(host) and host != "localhost":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **more)

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
            pytest.fail(f"a test tried to connect to {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def _is_address(host: Any) -> bool:
    try:
        ipaddress.ip_address(host if isinstance(host, str) else host.decode())
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback
