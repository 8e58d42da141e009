"""Changes of API keys: each is made and recorded, and no secret is stored."""

from __future__ import annotations

import pytest

from app.errors import InvalidRequest, NotFound
from tests.support.store_contents import everything_in

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

        entries = audited()
        assert [one[0] for one in entries] == [
            "pool.create",
            *(f"key.{verb}" for verb in ("create", "change", "rotate", "disable", "enable", "remove")),
        ]
        assert entries[2][2:] == ({"models": [], "raw": True}, {"models": ["gpt-5"], "raw": False})
        assert services.api_keys.all(POOL) == []

    def test_no_secret_is_shown_again(self, operations, redis_client):
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
