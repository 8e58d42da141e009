"""Names of pools, accounts, API keys, teams and webhooks, for shell completion."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet

from app.accounts.pools import PoolRepository
from app.stores.api_keys import ApiKeyRepository
from app.stores.names import NameRepository
from app.stores.records.webhooks import Webhook
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.stores.webhooks import WebhookRepository


def test_an_empty_store(redis_client: Any) -> None:
    names = NameRepository(Scripts(redis_client))

    assert (names.pools(), names.accounts("default"), names.api_keys("default")) == ([], [], [])


def test_names_of_a_pool(redis_client: Any) -> None:
    scripts = Scripts(redis_client)
    PoolRepository(scripts).ensure("team")
    ApiKeyRepository(scripts).create("team", "ann")
    WebhookRepository(scripts, Vault((Fernet.generate_key().decode(),))).add(
        "team", Webhook("ops", "http://h/")
    )
    names = NameRepository(scripts)

    assert (names.webhooks("team"), names.webhooks("default")) == (["ops"], [])
    assert (names.pools(), names.api_keys("team"), names.api_keys("default")) == (["team"], ["ann"], [])
