"""Pools: made by naming them."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.pools import Pool, PoolRepository, checked_name
from app.errors import InvalidRequest, NotFound
from app.stores import keys
from app.stores.api_keys import ApiKeyRepository
from app.stores.scripts import Scripts
from tests.support.store import StoreOfTest


@pytest.fixture
def scripts(redis_client: Any) -> Scripts:
    return Scripts(redis_client)


@pytest.fixture
def pools(scripts: Scripts) -> PoolRepository:
    return PoolRepository(scripts)


class TestEnsure:
    def test_it_is_made_once(self, pools, redis_client):
        pools.ensure("team-b")
        made = redis_client.hget(keys.pool("team-b"), "created_ms")
        pools.ensure("team-b")

        assert pools.names() == ["team-b"]
        assert redis_client.hget(keys.pool("team-b"), "created_ms") == made

    @pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a}b", "ä", "x" * 33, "a\n"])
    def test_what_cannot_name_one(self, pools, name):
        """A name is part of every key and of every API key, so its letters are few."""
        with pytest.raises(InvalidRequest, match="cannot name a pool") as refusal:
            pools.ensure(name)

        assert refusal.value.param == "pool"
        assert pools.names() == []

    @pytest.mark.parametrize("name", ["a", "0", "team-b_2", "x" * 32])
    def test_what_can(self, name):
        assert checked_name(name) == name


class TestCheck:
    def test_a_pool_that_is_there(self, pools):
        pools.ensure("team-b")
        pools.check("team-b")

    def test_default_is_always_there(self, pools):
        pools.check("default")

    def test_no_such_pool(self, pools):
        """Looking does not make one."""
        with pytest.raises(NotFound, match="no pool named 'typo'"):
            pools.check("typo")

        assert pools.names() == []


class TestAll:
    def test_by_name_with_counts(self, pools, scripts):
        pools.ensure("b")
        pools.ensure("a")
        pools.change("b", zone="Europe/Berlin")
        ApiKeyRepository(scripts).create("b", "ann")

        assert pools.all() == [
            Pool("a", "balanced", "UTC", accounts=0, keys=0),
            Pool("b", "balanced", "Europe/Berlin", accounts=0, keys=1),
        ]

    def test_none(self, pools):
        assert pools.all() == []


def test_a_zone_must_exist(pools):
    with pytest.raises(InvalidRequest, match="not an IANA time zone"):
        pools.change("a", zone="Europe/Atlantis")


class TestPolicy:
    def test_holds_at_once(self, redis_client: Any) -> None:
        """All scores are computed again, and a full or unavailable account stays unavailable."""
        store = StoreOfTest(redis_client)
        store.key("k")
        for number, name in enumerate("abc"):
            store.account(name, group=2 - number, cap=1)
        store.admit(pin="b")
        store.account("d", group=0)
        store.set_state("d", "paused")

        PoolRepository(store.scripts).change(store.pool, policy="ordered")

        assert [store.admit().get("account") for _ in range(3)] == ["c", "a", None]

    def test_unknown(self, pools: PoolRepository) -> None:
        with pytest.raises(InvalidRequest, match="there are balanced, "):
            pools.change("a", policy="best")


def test_settings_that_two_change(pools: PoolRepository, redis_client: Any) -> None:
    """Who comes second starts from what the first has made."""

    def add(text: str) -> str:
        if text == "":
            redis_client.hset(keys.pool("a"), "settings", "x")
        return text + "y"

    pools.change("a", settings=add)

    assert redis_client.hget(keys.pool("a"), "settings") == "xy"
