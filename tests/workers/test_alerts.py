"""What changes in a pool reaches its webhooks, once, however many workers look and however often."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from app.accounts.account import Account
from app.stores import keys
from app.stores.records.webhooks import AlertKind, Webhook, WebhookFormat
from app.stores.secrets import Vault
from app.stores.webhooks import WebhookRepository
from app.wiring import Services
from tests.support.webhook_receiver import Received, Receiver, running_receiver
from tests.workers.conftest import POOL
from workers import alert_delivery, alerts


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def look(built: Services, receiver: Receiver) -> Callable[[], list[Received]]:
    """Run both jobs twice, as two workers would; return what the receiver got."""

    def look() -> list[Received]:
        for job in (alerts, alerts, alert_delivery, alert_delivery):
            job.run(built, time.time())
        return receiver.take()

    return look


def set_state(built: Services, account: Account, **fields: Any) -> None:
    built.scripts.client.hset(keys.account(POOL, account.id), mapping=fields)


def test_sent_once_when_it_begins_and_once_when_it_ends(
    built: Services, add: Any, look: Any, receiver: Receiver
) -> None:
    account = add("ann")
    built.alerting.webhooks.add(POOL, Webhook("ops", receiver.url, secret="s" * 24))
    assert look() == []

    set_state(built, account, state="credential_dead", reason="invalid_api_key")
    (sent,) = look()
    assert sent.alerts() == [("firing", "pool:"), ("firing", "account:ann")]
    assert sent.headers["webhook-signature"].startswith("v1,")
    assert b"sk-ann" not in sent.body
    assert look() == []

    set_state(built, account, state="active")
    (sent,) = look()
    assert sent.alerts() == [("resolved", "account:ann"), ("resolved", "pool:")]
    assert look() == []


def test_each_webhook_gets_its_kinds(built: Services, add: Any, look: Any, receiver: Receiver) -> None:
    """One that is added later gets what is open then."""
    set_state(built, add("ann"), state="credential_dead")
    slack = Webhook("slack", receiver.url, WebhookFormat.SLACK, (AlertKind.ACCOUNT,))
    built.alerting.webhooks.add(POOL, slack)
    (sent,) = look()
    assert sent.json() == {
        "text": f"Poolgate, pool {POOL}:\n[firing] Account ann needs attention: its credential is refused"
    }

    built.alerting.webhooks.add(POOL, Webhook("ops", receiver.url, on=(AlertKind.POOL, AlertKind.STORE)))
    (sent,) = look()
    assert sent.alerts() == [("firing", "pool:")]


def test_many_at_once_are_one_message(built: Services, add: Any, look: Any, receiver: Receiver) -> None:
    for number in range(60):
        set_state(built, add(f"a{number}"), state="credential_dead")
    built.alerting.webhooks.add(POOL, Webhook("ops", receiver.url, on=(AlertKind.ACCOUNT,)))

    (sent,) = look()

    assert (len(sent.alerts()), sent.json()["data"]["omitted"]) == (40, 20)


def test_one_that_fails_holds_no_other_up(built: Services, add: Any, look: Any, receiver: Receiver) -> None:
    set_state(built, add("ann"), state="credential_dead")
    built.alerting.webhooks.add(POOL, Webhook("gone", "http://127.0.0.1:1/", on=(AlertKind.ACCOUNT,)))
    built.alerting.webhooks.add(POOL, Webhook("ops", receiver.url, on=(AlertKind.ACCOUNT,)))

    assert [sent.alerts() for sent in look()] == [[("firing", "account:ann")]]
    gone = built.alerting.alerts.statuses(POOL, ["gone"])["gone"]
    assert (gone.pending, gone.error) == (1, "The receiver refused the connection")


def test_one_that_cannot_be_decrypted(built: Services, add: Any, look: Any, receiver: Receiver) -> None:
    from cryptography.fernet import Fernet

    vault = Vault((Fernet.generate_key().decode(),))
    WebhookRepository(built.scripts, vault).add(POOL, Webhook("other", receiver.url))
    set_state(built, add("ann"), state="credential_dead")

    assert look() == []


def test_a_pool_that_cannot_be_read(
    built: Services, add: Any, look: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others get their alerts."""
    built.pools.ensure("a-broken-one")
    built.alerting.webhooks.add("a-broken-one", Webhook("ops", receiver.url))
    built.scripts.client.hset(keys.pool("a-broken-one"), "limits", "no JSON")
    set_state(built, add("ann"), state="credential_dead")
    built.alerting.webhooks.add(POOL, Webhook("ops", receiver.url, on=(AlertKind.POOL,)))

    with structlog.testing.capture_logs() as lines:
        sent = look()

    assert [each.alerts() for each in sent] == [[("firing", "pool:")]]
    assert {(line["event"], line["pool"]) for line in lines if line["log_level"] == "error"} == {
        ("alerts_failed", "a-broken-one")
    }
