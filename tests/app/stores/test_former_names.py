"""The names of removed accounts and API keys stay known, so that reports can show them."""

from __future__ import annotations

from typing import Any

from app.stores import keys
from app.stores.api_keys import ApiKeyRepository
from tests.support.store import StoreOfTest


def test_removed_accounts_and_keys(store: StoreOfTest) -> None:
    store.account("a1")
    store.key("k1")
    store.key("k2")

    store.remove("a1")
    for _ in range(2):  # a repeated call does no harm
        store.scripts.run("remove_key", store.pool, "k1")

    assert ApiKeyRepository(store.scripts).former_names(store.pool) == {"a1": "a1", "k1": "k1"}


def test_the_newest_are_retained(store: StoreOfTest) -> None:
    earlier = {f"key_{number} name": number for number in range(1005)}
    store.client.zadd(keys.former_names(store.pool), earlier)
    store.key("k1")

    store.scripts.run("remove_key", store.pool, "k1")

    known: dict[str, Any] = ApiKeyRepository(store.scripts).former_names(store.pool)
    assert len(known) == 1000
    assert {"k1", "key_1004"} <= known.keys()
    assert "key_0" not in known
