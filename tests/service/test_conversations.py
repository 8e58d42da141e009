"""A conversation that lives at an account is served there, or not at all."""

from __future__ import annotations

from tests.service.test_answers import PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

TURN = {"model": "m", "input": "And then?", "conversation": "conv_1"}


def test_it_stays_with_the_account_that_first_served_it(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    for name in ("east", "west"):
        pool.account(name, upstream.base_url(name))
    key = pool.key()
    first = pool.post(PATHS["responses"], TURN, key).headers["x-poolgate-account"]
    pool.wait_for_rows(1)

    pool.gateway.services.accounts.pause(pool.name, first)
    refused = pool.post(PATHS["responses"], {**TURN, "prompt_cache_key": "other"}, key)
    pool.gateway.services.accounts.resume(pool.name, first)
    served = pool.post(PATHS["responses"], {**TURN, "prompt_cache_key": "other"}, key)

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_accounts")
    assert served.headers["x-poolgate-account"] == first


def test_one_whose_account_is_gone_begins_anew(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """The upstream will say that it does not know it; we do not guess."""
    pool.account("east", upstream.base_url("east"))
    key = pool.key()
    pool.post(PATHS["responses"], TURN, key)
    pool.wait_for_rows(1)
    pool.gateway.services.accounts.remove(pool.name, "east")
    pool.account("west", upstream.base_url("west"))

    assert pool.post(PATHS["responses"], TURN, key).headers["x-poolgate-account"] == "west"
