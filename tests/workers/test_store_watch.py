"""Alerts about Redis itself, with a server that stops and starts again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography.fernet import Fernet
from gevent.event import Event

from app.config import Settings
from app.stores.health import HealthRepository
from app.stores.records.webhooks import AlertKind, Webhook, WebhookFormat
from app.wiring import Services, build
from tests.support.redis import short_folder
from tests.support.redis_server import RedisServer
from tests.support.webhook_receiver import Receiver, running_receiver
from workers import store_watch
from workers.store_watch import AWAY_SECONDS, READ_SECONDS, StoreWatch

POOL = "default"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with short_folder() as folder:
        server = RedisServer(folder / "r")
        yield server
        server.stop()


@pytest.fixture
def services(server: RedisServer, tmp_path: Path, receiver: Receiver) -> Iterator[Services]:
    key = Fernet.generate_key().decode()
    services = build(
        Settings(home=tmp_path, redis_url=server.url, secret_keys=(key,), store_timeout_seconds=5)
    )
    services.pools.ensure(POOL)
    services.alerting.webhooks.add(POOL, Webhook("ops", receiver.url, on=(AlertKind.STORE,)))
    yield services
    services.scripts.client.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(services: Services, clock: Clock) -> StoreWatch:
    return StoreWatch(services, clock=clock, sleep=lambda _: None)


def check(watch: StoreWatch, clock: Clock, after: float = 0.0) -> None:
    clock.now += after
    watch.check()
    watch.finish()


def test_away_and_back(watch: StoreWatch, clock: Clock, server: RedisServer, receiver: Receiver) -> None:
    """One alert when it has been away for a while, and one when it has been back for as long."""
    check(watch, clock)
    server.stop()
    check(watch, clock, 5)
    assert receiver.take() == []

    check(watch, clock, AWAY_SECONDS)
    check(watch, clock, 600)
    (sent,) = receiver.take()
    assert sent.alerts() == [("firing", "store:")]
    assert "Requests are refused because Redis" in sent.json()["data"]["alerts"][0]["text"]

    server.start()
    check(watch, clock, 5)
    assert receiver.take() == []
    check(watch, clock, AWAY_SECONDS)
    check(watch, clock, AWAY_SECONDS)
    (sent,) = receiver.take()
    assert sent.alerts() == [("resolved", "store:")]


def test_an_outage_is_recorded_when_it_is_over(
    watch: StoreWatch, services: Services, clock: Clock, server: RedisServer
) -> None:
    """By every process that noticed it, also of short ones; together they are one outage."""
    other = StoreWatch(services, clock=clock, sleep=lambda _: None)
    health = HealthRepository(services.scripts)
    check(watch, clock)
    check(other, clock)
    assert health.last_outage() is None
    server.stop()
    check(watch, clock, 5)
    check(other, clock, 2)
    check(watch, clock, 3)
    server.start()
    check(other, clock, 2)
    check(watch, clock, 3)
    outage = health.last_outage()
    check(watch, clock, 5)

    assert outage is not None
    assert outage == health.last_outage()
    assert outage.ended_at - outage.began_at == pytest.approx(10, abs=0.01)
    assert outage.ended_at <= health.now()
    assert outage.reason == "refuses connections: nothing listens there"


def test_a_restart_is_no_alert(
    watch: StoreWatch, clock: Clock, server: RedisServer, receiver: Receiver
) -> None:
    check(watch, clock)
    for _ in range(3):
        server.stop()
        check(watch, clock, AWAY_SECONDS - 1)
        server.start()
        check(watch, clock, 5)

    assert receiver.take() == []


def test_of_two_processes_one_sends(
    watch: StoreWatch, services: Services, clock: Clock, server: RedisServer, receiver: Receiver
) -> None:
    other = StoreWatch(services, clock=clock, sleep=lambda _: None)
    for _ in range(2):
        check(watch, clock)
        check(other, clock)
    server.stop()
    for after in (5.0, AWAY_SECONDS):
        check(watch, clock, after)
        check(other, clock)

    assert len(receiver.take()) == 1


def test_the_webhooks_in_memory_follow(
    watch: StoreWatch, services: Services, clock: Clock, server: RedisServer, receiver: Receiver
) -> None:
    """Those that do not send alerts about Redis, or were removed, are not among them."""
    check(watch, clock)
    services.alerting.webhooks.remove(POOL, "ops")
    services.alerting.webhooks.add(POOL, Webhook("other", receiver.url, on=(AlertKind.POOL,)))
    check(watch, clock, READ_SECONDS)
    server.stop()
    check(watch, clock, 5)
    check(watch, clock, AWAY_SECONDS)

    assert receiver.take() == []


def test_a_receiver_that_fails(
    watch: StoreWatch, clock: Clock, server: RedisServer, receiver: Receiver
) -> None:
    """Three attempts, with one id; then it is given up."""
    check(watch, clock)
    server.stop()
    receiver.statuses = [500, 503, 500]
    with structlog.testing.capture_logs() as lines:
        check(watch, clock, 5)
        check(watch, clock, AWAY_SECONDS)

    sent = receiver.take()
    assert len(sent) == 3
    assert len({each.headers["webhook-id"] for each in sent}) == 1
    assert [line["event"] for line in lines] == ["store_alert_sent", "store_alert_failed"]
    assert receiver.url not in str(lines)


def test_slack(
    watch: StoreWatch, services: Services, clock: Clock, server: RedisServer, receiver: Receiver
) -> None:
    services.alerting.webhooks.put(POOL, Webhook("ops", receiver.url, WebhookFormat.SLACK))
    check(watch, clock)
    server.stop()
    check(watch, clock, 5)
    check(watch, clock, AWAY_SECONDS)

    (sent,) = receiver.take()
    text: Any = sent.json()["text"]
    assert text.startswith(f"Poolgate, pool {POOL}:\n[firing] Requests are refused because Redis ")


def test_a_failure_of_a_check_is_logged(
    services: Services, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next check follows all the same."""
    stopping, checks = Event(), []

    def check(_: StoreWatch) -> None:
        checks.append(1)
        if len(checks) == 2:
            stopping.set()
        raise ValueError("secret")

    monkeypatch.setattr(StoreWatch, "check", check)
    monkeypatch.setattr(store_watch, "CHECK_SECONDS", 0.001)

    with structlog.testing.capture_logs() as lines:
        store_watch.watch_until(stopping, services)

    assert [line["event"] for line in lines] == ["store_watch_failed"] * 2
