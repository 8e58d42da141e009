"""Usage in an unknown form is stored with its account once, by the names in it."""

from __future__ import annotations

import pytest

from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"units": 7, "not a name: Hi": 1},
}


@pytest.mark.parametrize("forget", [False, True])
def test_is_stored_once_until_it_is_forgotten(
    pool: PoolOfTest, upstream: ScriptedUpstream, *, forget: bool
) -> None:
    added = pool.account("a", upstream.base_url())
    accounts, key = pool.gateway.services.accounts, pool.key()
    upstream.script(*[{"play": "json", "body": COMPLETION}] * 2)

    assert pool.post(PATHS["chat"], BODIES["chat"], key).status_code == 200
    (row,) = pool.wait_for_rows(1)
    stored = accounts.find_without_credential(pool.name, "a")
    assert (stored.unknown_usage, stored.version) == (("units",), added.version + 1)
    assert row["source"] == "estimated"

    if forget:
        accounts.forget_refused(pool.name, "a")
    assert pool.post(PATHS["chat"], BODIES["chat"], key).status_code == 200
    pool.wait_for_rows(2)
    again = accounts.find_without_credential(pool.name, "a")
    assert again.unknown_usage == ("units",)
    assert again.version == stored.version + (2 if forget else 0)
