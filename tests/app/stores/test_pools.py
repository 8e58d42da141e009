"""The stored records of pools."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.pools import PoolHashes
from app.stores.records.pools import StoredPool
from app.stores.scripts import Scripts


@pytest.fixture
def pools(redis_client: Any) -> PoolHashes:
    return PoolHashes(Scripts(redis_client))


def test_made_once(pools: PoolHashes) -> None:
    assert not pools.exists("p")

    for name in ("q", "p", "p"):
        pools.ensure(name)

    assert pools.exists("p")
    assert pools.names() == ["p", "q"]


def test_an_existing_pool_does_not_change(pools: PoolHashes) -> None:
    pools.ensure("p")
    pools.change("p", {"policy": "ordered"}, "")

    pools.ensure("p")

    assert pools.read_all(["p"])[0].policy == "ordered"


def test_read_all(pools: PoolHashes, redis_client: Any) -> None:
    """Pools are in the order of the names; unset fields are empty, also of a pool that does not exist."""
    pools.ensure("p")
    pools.change("p", {"policy": "ordered", "zone": "Europe/Berlin", "settings": "{}"}, "")
    redis_client.hset(keys.account_names("p"), mapping={"a": "1", "b": "2"})
    redis_client.hset(keys.key_names("p"), "k", "1")

    assert pools.read_all(["none", "p"]) == [
        StoredPool("none", "", "", "", 0, 0),
        StoredPool("p", "ordered", "Europe/Berlin", "{}", 2, 1),
    ]
    assert pools.read_all([]) == []


class TestChanging:
    def test_settings_that_another_changed(self, pools: PoolHashes) -> None:
        """The change is refused as a whole, so that the other one is not lost."""
        pools.ensure("p")
        assert pools.change("p", {"settings": '{"a":1}'}, pools.settings_text("p"))

        assert not pools.change("p", {"settings": '{"b":2}', "zone": "UTC"}, "")

        assert pools.settings_text("p") == '{"a":1}'
        assert pools.read_all(["p"])[0].zone != "UTC"

    def test_other_fields_do_not_compare_settings(self, pools: PoolHashes) -> None:
        pools.ensure("p")
        pools.change("p", {"settings": '{"a":1}'}, "")

        assert pools.change("p", {"zone": "Asia/Tokyo"}, "")

        assert pools.settings_text("p") == '{"a":1}'
        assert pools.read_all(["p"])[0].zone == "Asia/Tokyo"
