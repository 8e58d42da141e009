"""Webhooks that receive nothing."""

from __future__ import annotations

from cryptography.fernet import Fernet

from app.operations.check_webhooks import check_webhooks
from app.operations.diagnostic import Level
from app.stores.records.alerts import DeliveryOutcome
from app.stores.records.webhooks import Webhook
from app.stores.secrets import Vault
from app.stores.webhooks import WebhookRepository
from app.wiring import Services

POOL = "team"


def findings(services: Services) -> list[tuple[str, str, str]]:
    services.pools.ensure(POOL)
    found = check_webhooks(services.doctor._stores, POOL)
    return [(each.level, each.what, each.remedy) for each in found]


def test_deliveries_that_fail(services: Services) -> None:
    """The latest one counts."""
    services.alerting.webhooks.add(POOL, Webhook("ops", "http://h/"))
    assert findings(services) == []

    record = services.alerting.alerts.record
    record(POOL, "ops", "m", DeliveryOutcome.FAILED, error="The receiver answered with status 404")
    ((level, what, remedy),) = findings(services)
    assert level is Level.WRONG
    assert what.startswith("the webhook 'ops' failed at 2")
    assert what.endswith(": The receiver answered with status 404")
    assert remedy == "poolgate alert test ops --pool team"
    assert what in [each.what for each in services.doctor.check(POOL)]

    record(POOL, "ops", "m", DeliveryOutcome.DELIVERED)
    assert findings(services) == []


def test_one_that_cannot_be_decrypted(services: Services) -> None:
    vault = Vault((Fernet.generate_key().decode(),))
    WebhookRepository(services.scripts, vault).add(POOL, Webhook("ops", "http://h/"))

    ((level, what, remedy),) = findings(services)
    assert (level, what) == (Level.WRONG, "the webhook 'ops' was encrypted with another key")
    assert remedy.endswith("poolgate alert set ops --pool team --url URL")
