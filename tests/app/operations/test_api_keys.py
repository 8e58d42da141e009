"""Keys, limits, pools and prices at the desk."""

from __future__ import annotations

from functools import partial

import pytest

from app.accounts.settings import with_flag
from app.errors import InvalidRequest, NotFound
from app.limits.limit_syntax import parse_limit
from tests.support.stored import everything_in

POOL = "team"


class TestKeys:
    def test_a_life(self, operations, services, audited):
        key, secret = operations.api_keys.create(
            POOL, {"name": "ann", "limits": ["10 requests/day"], "raw": True}
        )
        assert (key.raw, key.limits[0].max) == (True, 10)
        assert operations.api_keys.change(POOL, "ann", {"models": ["gpt-5"], "raw": False}).models == (
            "gpt-5",
        )
        _, newer = operations.api_keys.rotate(POOL, "ann", 60)
        assert {services.api_keys.authenticate(one).id for one in (secret, newer)} == {key.id}
        assert operations.api_keys.disable(POOL, "ann").state == "disabled"
        assert operations.api_keys.enable(POOL, "ann").state == "active"
        operations.api_keys.remove(POOL, "ann")

        told = audited()
        assert [one[0] for one in told] == [
            "pool.create",
            *(f"key.{verb}" for verb in ("create", "change", "rotate", "disable", "enable", "remove")),
        ]
        assert told[2][2:] == ({"models": [], "raw": True}, {"models": ["gpt-5"], "raw": False})
        assert services.api_keys.all(POOL) == []

    def test_no_secret_is_told_again(self, operations, redis_client):
        secrets = [
            operations.api_keys.create(POOL, {"name": "ann"})[1],
            operations.api_keys.rotate(POOL, "ann")[1],
        ]

        assert not any(one in everything_in(redis_client) for one in secrets)

    @pytest.mark.parametrize("seconds", [-1, 91 * 86400])
    def test_an_overlap_that_is_none(self, operations, seconds):
        operations.api_keys.create(POOL, {"name": "ann"})
        with pytest.raises(InvalidRequest) as refused:
            operations.api_keys.rotate(POOL, "ann", seconds)
        assert refused.value.param == "overlap"

    def test_unknown_accounts(self, operations, services):
        with pytest.raises(NotFound, match="'x'"):
            operations.api_keys.create(POOL, {"name": "ann", "accounts": ["x"]})
        assert services.api_keys.all(POOL) == []


@pytest.mark.parametrize("key", [None, "ann"])
def test_limits(operations, services, audited, key):
    """Of a key, or of the pool."""
    operations.api_keys.create(POOL, {"name": "ann"})
    added = operations.limits.add(POOL, parse_limit("10 requests/day"), key)
    operations.limits.change(POOL, added.id, parse_limit("20 requests/day balanced"), key)
    with pytest.raises(InvalidRequest):
        operations.limits.change(POOL, added.id, parse_limit("20 requests/hour"), key)
    operations.limits.remove(POOL, added.id, key)

    told = audited()[2:]
    assert [one[:2] for one in told] == [
        (f"limit.{verb}", key or POOL) for verb in ("add", "change", "remove")
    ]
    assert told[1][2:] == ({"limit": "10 requests/day"}, {"limit": "20 requests/day balanced"})


class TestPools:
    def test_create_and_change(self, operations, audited):
        assert operations.pools.create(POOL).keys == 0
        with pytest.raises(InvalidRequest, match="exists"):
            operations.pools.create(POOL)
        hidden = partial(with_flag, name="names_accounts", value=False)
        changed = operations.pools.change(POOL, policy="ordered", zone="Europe/Berlin", steps=[hidden])

        assert (changed.policy, changed.zone, changed.settings) == (
            "ordered",
            "Europe/Berlin",
            {"names_accounts": False},
        )
        assert audited()[1][2] == {"policy": "balanced", "zone": "UTC", "settings": {}}

    def test_what_cannot_be(self, operations, audited):
        with pytest.raises(InvalidRequest):
            operations.pools.create("../x")
        operations.pools.create(POOL)
        with pytest.raises(InvalidRequest):
            operations.pools.change(POOL, policy="best")
        with pytest.raises(NotFound):
            operations.pools.read("nowhere")
        assert len(audited()) == 1


def test_prices(operations, audited):
    row = {"standard": {"input": 1_000_000, "output": 2_000_000}}
    assert operations.prices.set(POOL, "llama", row)["standard"] == row["standard"]
    assert operations.prices.remove(POOL, "llama")
    assert not operations.prices.remove(POOL, "llama")

    assert [one[:2] for one in audited()[1:3]] == [("price.set", "llama"), ("price.remove", "llama")]
