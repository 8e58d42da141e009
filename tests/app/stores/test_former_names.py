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
    store.key("key_new")

    store.scripts.run("remove_key", store.pool, "key_new")

    known: dict[str, Any] = ApiKeyRepository(store.scripts).former_names(store.pool)
    assert len(known) == 1000
    assert {"key_new", "key_1004"} <= known.keys()
    assert "key_0" not in known


def test_names_of_accounts_stay_when_many_keys_are_removed(store: StoreOfTest) -> None:
    """An account that is added under such a name still takes its place."""
    earlier = {f"key_{number} name": number for number in range(1000)}
    store.client.zadd(keys.former_names(store.pool), {"acct_1 main": -1, **earlier})
    store.key("key_new")

    store.scripts.run("remove_key", store.pool, "key_new")

    known = ApiKeyRepository(store.scripts).former_names(store.pool)
    assert len(known) == 1001
    assert {"acct_1", "key_new"} <= known.keys()
    assert "key_0" not in known
