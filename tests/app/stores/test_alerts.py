"""Open alerts, messages about changes, and the record of deliveries, on a clock that the test sets."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.alerts import AlertRepository
from app.stores.records.alerts import Alert, AlertStatus, DeliveryOutcome, PendingMessage
from app.stores.records.webhooks import AlertKind, Webhook
from tests.support.store import POOL, START_MS, StoreOfTest

KINDS = (AlertKind.POOL, AlertKind.LIMIT)
OPS = Webhook("ops", "http://h/", on=KINDS)
SPENT = Alert(AlertKind.POOL, "", "No account can serve")
HOUR_MS = 3_600_000


def used(step: str, subject: str = "l1", **more: Any) -> Alert:
    return Alert(AlertKind.LIMIT, subject, f"{subject} is at {step} %", step, **more)


@pytest.fixture
def alerts(store: StoreOfTest) -> AlertRepository:
    store.client.hset(keys.webhooks(POOL), "ops", "sealed")
    return AlertRepository(store.scripts)


@pytest.fixture
def sent(alerts: AlertRepository, store: StoreOfTest) -> Any:
    """Report which alerts hold; return (status, key, text, reminder) of each change that is queued."""

    def report(*current: Alert, webhook: Webhook = OPS) -> list[tuple[str, str, str, bool]]:
        count = alerts.change(POOL, webhook, current, webhook.on)
        pending = alerts.pending(POOL, webhook.name)
        store.client.delete(keys.alert_messages(POOL, webhook.name))
        changes = pending.message.changes if pending else ()
        assert count == len(changes)
        return [(each.status, each.key, each.text, each.is_reminder) for each in changes]

    return report


class TestChanges:
    def test_begin_and_end_once(self, sent: Any) -> None:
        assert sent(SPENT) == [("firing", "pool:", "No account can serve", False)]
        assert sent(SPENT) == []
        assert sent() == [("resolved", "pool:", "No account can serve", False)]
        assert sent() == []

    def test_a_step_is_sent_again(self, sent: Any) -> None:
        assert sent(used("80")) == [("firing", "limit:l1", "l1 is at 80 %", False)]
        assert sent(used("100")) == [("firing", "limit:l1", "l1 is at 100 %", False)]
        assert sent(used("100")) == []
        assert sent() == [("resolved", "limit:l1", "l1 is at 100 %", False)]

    def test_one_that_does_not_begin_prolongs(self, sent: Any) -> None:
        assert sent(used("x", begins=False)) == []
        assert sent(used("x"))
        assert sent(used("x", begins=False)) == []
        assert [status for status, *_ in sent()] == ["resolved"]

    def test_reminders(self, sent: Any, store: StoreOfTest) -> None:
        sent(SPENT)
        store.advance(23 * HOUR_MS)
        assert sent(SPENT) == []
        store.advance(HOUR_MS)
        assert sent(SPENT) == [("firing", "pool:", "No account can serve", True)]
        assert sent(SPENT) == []
        store.advance(HOUR_MS * 24)
        assert sent(SPENT, webhook=Webhook("ops", "http://h/", on=KINDS, remind_hours=0)) == []

    def test_a_kind_that_is_no_longer_sent(self, sent: Any, store: StoreOfTest) -> None:
        sent(SPENT, used("80"))

        assert sent(webhook=Webhook("ops", "http://h/", on=(AlertKind.LIMIT,))) == [
            ("resolved", "limit:l1", "l1 is at 80 %", False)
        ]
        assert not store.client.exists(keys.alerts(POOL, "ops"))

    def test_a_webhook_that_was_removed(self, alerts: AlertRepository, store: StoreOfTest) -> None:
        store.client.delete(keys.webhooks(POOL))
        before = store.client.keys("*")

        assert alerts.change(POOL, OPS, [SPENT], KINDS) == 0
        alerts.record(POOL, "ops", "m", DeliveryOutcome.FAILED, error="x")
        assert sorted(store.client.keys("*")) == sorted(before)

    def test_since_is_when_it_began(self, alerts: AlertRepository, store: StoreOfTest) -> None:
        alerts.change(POOL, OPS, [SPENT], KINDS)
        store.client.delete(keys.alert_messages(POOL, "ops"))
        store.advance(60_000)
        alerts.change(POOL, OPS, [], KINDS)

        message = alerts.pending(POOL, "ops").message  # type: ignore[union-attr]
        assert (message.changes[0].since, message.at) == (START_MS // 1000, START_MS // 1000 + 60)


class TestBounds:
    def test_open_alerts_and_the_changes_of_a_message(
        self, alerts: AlertRepository, store: StoreOfTest
    ) -> None:
        count = alerts.change(POOL, OPS, [used("80", f"l{number}") for number in range(700)], KINDS)

        message = alerts.pending(POOL, "ops").message  # type: ignore[union-attr]
        assert (count, len(message.changes), message.omitted) == (500, 40, 460)
        assert store.client.hlen(keys.alerts(POOL, "ops")) == 500
        assert all(store.client.pttl(name) > 0 for name in store.client.keys("*alerts*"))

    def test_messages(self, alerts: AlertRepository, store: StoreOfTest) -> None:
        """The oldest makes room, and is counted."""
        for number in range(25):
            alerts.change(POOL, OPS, [SPENT] if number % 2 == 0 else [], KINDS)

        status = alerts.statuses(POOL, ["ops"])["ops"]
        assert (status.pending, status.dropped, status.open_alerts) == (10, 15, 1)
        assert alerts.names_with_messages([POOL, "other"]) == [(POOL, "ops")]


class TestDeliveries:
    @pytest.fixture
    def pending(self, alerts: AlertRepository) -> PendingMessage:
        alerts.change(POOL, OPS, [SPENT], KINDS)
        alerts.change(POOL, OPS, [], KINDS)
        first = alerts.pending(POOL, "ops")
        assert first is not None
        return first

    def test_in_order(self, alerts: AlertRepository, pending: PendingMessage) -> None:
        assert pending.message.changes[0].status is AlertStatus.FIRING
        alerts.record(POOL, "ops", pending.message.id, DeliveryOutcome.DELIVERED)
        alerts.record(POOL, "ops", pending.message.id, DeliveryOutcome.DELIVERED)  # the reply was lost

        status = alerts.statuses(POOL, ["ops"])["ops"]
        assert (status.delivered, status.pending, status.delivered_at) == (1, 1, START_MS // 1000)
        assert not status.error
        second = alerts.pending(POOL, "ops")
        assert second is not None
        assert second.message.changes[0].status is AlertStatus.RESOLVED

    def test_again_and_given_up(self, alerts: AlertRepository, pending: PendingMessage) -> None:
        name = pending.message.id
        alerts.record(POOL, "ops", name, DeliveryOutcome.RETRY, error="no", wait_seconds=10)

        again = alerts.pending(POOL, "ops")
        assert again is not None
        assert (again.message.id, again.attempts, again.due_at) == (name, 1, START_MS / 1000 + 10)
        alerts.record(POOL, "ops", name, DeliveryOutcome.FAILED, error="x" * 1000)
        status = alerts.statuses(POOL, ["ops"])["ops"]
        assert (status.failed, status.pending, len(status.error)) == (1, 1, 200)
        assert alerts.pending(POOL, "ops").attempts == 0  # type: ignore[union-attr]

    def test_one_process_delivers(self, alerts: AlertRepository) -> None:
        assert alerts.claim(POOL, "ops")
        assert not alerts.claim(POOL, "ops")
        alerts.release(POOL, "ops")
        assert alerts.claim(POOL, "ops")


def test_no_webhooks(alerts: AlertRepository) -> None:
    assert alerts.statuses(POOL, []) == {}
    assert alerts.pending(POOL, "ops") is None
    assert alerts.names_with_messages([]) == []
