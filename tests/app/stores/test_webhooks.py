"""Webhooks of a pool: encrypted, bounded, removed with what belongs to each."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.errors import InvalidRequest, NotFound
from app.stores import keys
from app.stores.records.webhooks import AlertKind, Webhook, WebhookFormat, read_webhook
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.stores.webhooks import WebhookRepository
from schemas.bounds import MAX_WEBHOOKS

OPS = Webhook(
    "ops", "https://h/secret-path", WebhookFormat.SLACK, (AlertKind.POOL,), "s" * 16, True, 0, "f" * 16, 5
)


@pytest.fixture
def webhooks(redis_client: Any) -> WebhookRepository:
    return WebhookRepository(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))


def test_a_life(webhooks: WebhookRepository, redis_client: Any) -> None:
    webhooks.add("p", OPS)

    assert webhooks.all("p") == [OPS] == [webhooks.find("p", "ops")]
    assert webhooks.all("q") == []
    assert "secret" not in redis_client.hget(keys.webhooks("p"), "ops")
    assert "secret-path" not in repr(OPS)
    assert OPS.secret not in repr(OPS)

    redis_client.rpush(keys.alert_messages("p", "ops"), "x")
    redis_client.hset(keys.alerts("p", "ops"), "x", "x")
    redis_client.hset(keys.alert_deliveries("p", "ops"), "x", "x")
    webhooks.remove("p", "ops")
    assert redis_client.keys("*") == []
    with pytest.raises(NotFound):
        webhooks.find("p", "ops")


def test_names_are_unique_and_few(webhooks: WebhookRepository) -> None:
    for number in range(MAX_WEBHOOKS - 1):
        webhooks.add("p", Webhook(f"w{number}", "http://h/"))
    with pytest.raises(InvalidRequest, match="exists"):
        webhooks.add("p", Webhook("w0", "http://h/"))
    webhooks.add("p", OPS)

    with pytest.raises(InvalidRequest, match=f"at most {MAX_WEBHOOKS}"):
        webhooks.add("p", Webhook("one-more", "http://h/"))


def test_one_that_another_key_encrypted(webhooks: WebhookRepository, redis_client: Any) -> None:
    other = WebhookRepository(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))
    other.add("p", OPS)

    assert webhooks.all("p") == [Webhook("ops", "", is_readable=False)]


def test_defaults() -> None:
    assert read_webhook("w", '{"url": "http://h/"}') == Webhook("w", "http://h/")
