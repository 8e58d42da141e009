"""Names of pools, accounts and API keys, for shell completion."""

from __future__ import annotations

from typing import Any

from app.accounts.pools import PoolRepository
from app.stores.api_keys import ApiKeyRepository
from app.stores.names import NameRepository
from app.stores.scripts import Scripts


def test_an_empty_store(redis_client: Any) -> None:
    names = NameRepository(Scripts(redis_client))

    assert (names.pools(), names.accounts("default"), names.api_keys("default")) == ([], [], [])


def test_names_of_a_pool(redis_client: Any) -> None:
    scripts = Scripts(redis_client)
    PoolRepository(scripts).ensure("team")
    ApiKeyRepository(scripts).create("team", "ann")
    names = NameRepository(scripts)

    assert (names.pools(), names.api_keys("team"), names.api_keys("default")) == (["team"], ["ann"], [])
