"""Each with a server that really is so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.errors import StoreUnavailable
from app.formatting import moment
from app.operations import check_redis
from app.operations.diagnostic import Level
from app.stores.client import make_client
from app.stores.health import HealthRepository
from app.stores.scripts import Scripts
from tests.support.ports import free_port
from tests.support.processes import eventually
from tests.support.redis import short_folder
from tests.support.redis_server import RedisServer


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def server(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder / "redis")
    yield server
    server.stop()


def found(server: RedisServer, max_seconds: float = 60.0) -> list[tuple[str, str]]:
    client = make_client(server.url, 30.0)
    diagnostics = [
        (one.level, one.what)
        for one in check_redis.check_redis(HealthRepository(Scripts(client)), max_seconds)
    ]
    client.close()
    return diagnostics


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test machine may stall for longer than a server that people use should."""
    monkeypatch.setattr(check_redis, "SLOW_SECONDS", 60.0)
    monkeypatch.setattr(check_redis, "MAX_CLOCK_SECONDS", 60.0)


def test_well(server: RedisServer) -> None:
    assert found(server) == []


def test_an_outage(server: RedisServer) -> None:
    """As the workers noticed it; nothing where none did."""
    client = make_client(server.url, 30.0)
    health = HealthRepository(Scripts(client))
    assert list(check_redis.check_outage(health)) == []
    health.record_outage(41.6, "refuses connections: nothing listens there")

    (one,) = check_redis.check_outage(health)
    outage = health.last_outage()
    client.close()

    assert outage is not None
    until = moment(outage.ended_at)
    assert one.level is Level.NOTE
    reason = "refuses connections: nothing listens there"
    assert one.what == f"it was away until {until}, for about 42 s: it {reason}"


def test_a_replica(server: RedisServer) -> None:
    server.client().replicaof("127.0.0.1", 1)

    assert found(server) == [(Level.WRONG, "it is a replica: nothing can be written there")]


def test_no_append_only_file(server: RedisServer) -> None:
    server.client().config_set("appendonly", "no")

    assert found(server) == [(Level.NOTE, "it has no append-only file")]


def test_memory_that_is_nearly_all_used(server: RedisServer) -> None:
    client = server.client()
    client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.05))

    assert found(server) == [(Level.WRONG, "over 90% of its memory is in use")]


def test_one_that_may_throw_away_keys_and_one_that_did(server: RedisServer) -> None:
    client = server.client()
    client.config_set("maxmemory-policy", "allkeys-random")
    client.config_set("maxmemory", "200mb")
    client.set("k", "v")
    may = found(server)
    client.config_set("maxmemory", 1024)
    assert eventually(lambda: client.info("stats")["evicted_keys"])
    client.config_set("maxmemory", 0)
    client.config_set("maxmemory-policy", "noeviction")

    assert [what[:35] for _, what in may] == ["maxmemory-policy is allkeys-random:"]
    assert found(server) == [(Level.WRONG, "it has evicted 1 key since it was started")]


@pytest.mark.parametrize(
    ("write", "message"),
    [("bgsave", "its last snapshot failed"), ("bgrewriteaof", "it cannot write its append-only file")],
)
def test_a_disk_that_takes_nothing(folder: Path, write: str, message: str) -> None:
    server = RedisServer(folder / "redis", port=free_port())
    server.url = f"redis://127.0.0.1:{server.port}"
    client = make_client(server.url, 30.0)
    shutil.rmtree(folder / "redis")  # from under it
    with suppress(StoreUnavailable):  # one fails at once, the other in a child process
        client.execute_command(write)

    try:
        assert eventually(lambda: any(message in what for _, what in found(server)))
    finally:
        client.close()
        server.stop()


def test_a_clock_that_differs(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_redis, "MAX_CLOCK_SECONDS", -1.0)

    ((level, what),) = found(server)

    assert level == Level.WRONG
    assert what.startswith("its clock is ")


@pytest.mark.parametrize(("max_seconds", "level"), [(60.0, Level.NOTE), (0.0, Level.WRONG)])
def test_a_slow_one(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, max_seconds: float, level: str
) -> None:
    monkeypatch.setattr(check_redis, "SLOW_SECONDS", 0.0)

    ((reported, what),) = found(server, max_seconds)

    assert (reported, what[:8]) == (level, "it takes")
