"""Creation and changes of pools."""

from __future__ import annotations

from functools import partial

import pytest

from app.accounts.settings import with_flag
from app.errors import InvalidRequest, NotFound

POOL = "team"


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
