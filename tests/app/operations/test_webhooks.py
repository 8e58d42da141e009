"""Webhooks are added, changed, removed and tested, and each change is audited without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.errors import InvalidRequest, NotFound
from app.operations.service import AdminOperations
from app.stores.records.webhooks import AlertKind, Webhook, WebhookFormat, signing_secrets
from app.stores.secrets import Vault
from app.stores.webhooks import WebhookRepository
from app.wiring import Services
from schemas.webhooks import secret_bytes
from tests.support.webhook_receiver import Receiver, running_receiver

POOL = "team"
URL = "https://hooks.example/secret-path"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def test_a_life(operations: AdminOperations, services: Services, audited: Any) -> None:
    added = operations.webhooks.add(POOL, {"name": "ops", "url": URL, "on": ["store", "pool"]})
    assert len(secret_bytes(added.secret)) == 32
    assert added.on == (AlertKind.POOL, AlertKind.STORE)

    changed = operations.webhooks.change(POOL, "ops", {"format": "slack", "secret": "", "private": True})
    assert changed == Webhook("ops", URL, WebhookFormat.SLACK, added.on, "", True)
    assert services.alerting.webhooks.all(POOL) == [changed]
    operations.webhooks.remove(POOL, "ops")
    assert services.alerting.webhooks.all(POOL) == []

    log = audited()
    assert [entry[0] for entry in log] == ["pool.create", "alert.add", "alert.set", "alert.remove"]
    assert log[1][3]["url"] == "https://hooks.example/…"
    assert (log[2][2]["signed"], log[2][3]["signed"]) == (True, False)
    assert "secret-path" not in str(log)
    assert added.secret not in str(log)


def test_secrets(operations: AdminOperations) -> None:
    """One of the format json is always signed, unless an operator removes the secret."""
    fields = {"name": "a", "url": URL}

    assert operations.webhooks.add(POOL, fields | {"format": "slack"}).secret == ""
    assert operations.webhooks.add(POOL, fields | {"name": "b", "secret": "s" * 16}).secret == "s" * 16
    assert operations.webhooks.add(POOL, fields | {"name": "c", "secret": ""}).secret == ""


def test_a_new_secret(operations: AdminOperations, services: Services) -> None:
    """The former one also signs for a day, unless messages are signed no more."""
    operations.webhooks.add(POOL, {"name": "ops", "url": URL, "secret": "a" * 16})
    operations.webhooks.change(POOL, "ops", {"secret": "b" * 16})
    operations.webhooks.change(POOL, "ops", {"secret": "b" * 16, "private": True})

    stored, now = services.alerting.webhooks.find(POOL, "ops"), services.clock.now()
    assert signing_secrets(stored, now) == ["b" * 16, "a" * 16]
    assert signing_secrets(stored, now + 86_401) == ["b" * 16]
    assert signing_secrets(operations.webhooks.change(POOL, "ops", {"secret": ""}), now) == []


def test_what_cannot_be(operations: AdminOperations) -> None:
    operations.webhooks.add(POOL, {"name": "ops", "url": URL})

    with pytest.raises(InvalidRequest, match="exists"):
        operations.webhooks.add(POOL, {"name": "ops", "url": URL})
    for call in (operations.webhooks.remove, operations.webhooks.test):
        with pytest.raises(NotFound):
            call(POOL, "other")
    with pytest.raises(NotFound):
        operations.webhooks.change(POOL, "other", {})


def test_one_that_cannot_be_decrypted(operations: AdminOperations, services: Services) -> None:
    """It needs a URL again, and is readable then."""
    vault = Vault((Fernet.generate_key().decode(),))
    WebhookRepository(services.scripts, vault).add(POOL, Webhook("ops", URL))

    with pytest.raises(InvalidRequest) as caught:
        operations.webhooks.change(POOL, "ops", {"format": "slack"})

    assert caught.value.param == "url"
    assert operations.webhooks.change(POOL, "ops", {"url": URL}).is_readable
    assert services.alerting.webhooks.find(POOL, "ops") == Webhook("ops", URL)


def test_a_test(operations: AdminOperations, services: Services, receiver: Receiver, audited: Any) -> None:
    operations.webhooks.add(POOL, {"name": "ops", "url": receiver.url})
    receiver.statuses = [500]

    attempt = operations.webhooks.test(POOL, "ops")
    assert (attempt.is_delivered, attempt.status) == (False, 500)
    assert services.alerting.alerts.statuses(POOL, ["ops"])["ops"].error
    assert operations.webhooks.test(POOL, "ops").is_delivered
    status = services.alerting.alerts.statuses(POOL, ["ops"])["ops"]
    assert (status.error, status.delivered, status.failed) == ("", 0, 0)
    assert receiver.received[0].json()["type"] == "alerts.test"
    assert [entry[0] for entry in audited()][2:] == ["alert.test", "alert.test"]
