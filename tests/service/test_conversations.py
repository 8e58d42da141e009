"""A conversation that lives at an account is served there, or not at all."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize("spelled", ["conv_1", {"id": "conv_1"}])
class TestHolder:
    def test_other_keys_do_not_find_it(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, spelled: str | dict[str, str]
    ) -> None:
        """They hear what OpenAI answers, and no upstream is asked."""
        pool.account("east", upstream.base_url())
        ann, bob = pool.key("ann"), pool.key("bob")
        assert pool.post(PATHS["responses"], TURN, ann).status_code == 200
        pool.wait_for_rows(1)

        stolen = pool.post(PATHS["responses"], {**TURN, "conversation": spelled}, bob)
        again = pool.post(PATHS["responses"], {**TURN, "conversation": spelled}, ann)

        assert (stolen.status_code, stolen.json()["error"]["message"]) == (
            404,
            "Conversation with id 'conv_1' not found.",
        )
        assert again.status_code == 200
        assert len(upstream.log()) == 2

    def test_one_that_its_upstream_refused_is_held_by_no_one(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, spelled: str | dict[str, str]
    ) -> None:
        pool.account("east", upstream.base_url())
        upstream.script({"play": "http_error", "status": 400}, {"play": "text"})
        turn = {**TURN, "conversation": spelled}

        assert pool.post(PATHS["responses"], turn, pool.key("bob")).status_code == 400
        pool.wait_for_rows(1)
        assert pool.post(PATHS["responses"], turn, pool.key("ann")).status_code == 200


@pytest.mark.parametrize("conversation", [5, [], {}, {"id": 5}, {"id": "x" * 300}, "x" * 300])
def test_id_is_a_short_text(pool: PoolOfTest, conversation: object) -> None:
    answer = pool.post(PATHS["responses"], {**TURN, "conversation": conversation}, pool.key())

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "conversation")
