"""A conversation that lives at an account is served there, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.test_model_responses import PATHS
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


def test_one_whose_account_is_gone_starts_again(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """The upstream reports that it does not know it; the gateway does not guess."""
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
        """They get the response of the OpenAI API, and no upstream is called."""
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
    response = pool.post(PATHS["responses"], {**TURN, "conversation": conversation}, pool.key())

    assert (response.status_code, response.json()["error"]["param"]) == (400, "conversation")


class TestStoredItems:
    @pytest.mark.parametrize("reference", [{"type": "item_reference"}, {"type": None}, {}])
    @pytest.mark.parametrize(
        "path", [PATHS["responses"], "/v1/responses/compact", "/backend-api/codex/responses"]
    )
    def test_references_find_nothing(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str, reference: dict[str, str | None]
    ) -> None:
        """Answers are not stored: what an id names was stored by someone else at the account."""
        pool.account("east", upstream.base_url())
        sent_text = {"role": "user", "content": "And then?"}
        body = {"model": "m", "instructions": "", "input": [sent_text, {**reference, "id": "msg_1"}]}

        response = pool.post(path, body, pool.key())

        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (404, "input[1].id"), error
        assert error["message"] == "Item with id 'msg_1' not found: items are not stored"
        assert upstream.log() == []

    @pytest.mark.parametrize("item_id", [{}, {"id": ""}, {"id": None}, {"id": 7}])
    def test_references_to_nothing_are_invalid(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, item_id: dict[str, int | str | None]
    ) -> None:
        pool.account("east", upstream.base_url())
        body = {"model": "m", "input": [{"type": "item_reference", **item_id}]}

        response = pool.post(PATHS["responses"], body, pool.key())

        error = response.json()["error"]
        assert (response.status_code, error["type"]) == (400, "invalid_request_error")
        assert error["param"].startswith("input"), error
        assert upstream.log() == []


class TestTwoKeysAtOnce:
    """Of two keys that go on with a conversation no one holds, one gets it."""

    def test_second_does_not_find_it(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("east", upstream.base_url())
        upstream.script({"play": "text", "before": [{"gate": "held"}]})
        ann, bob = pool.key("ann"), pool.key("bob")
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(pool.post, PATHS["responses"], TURN, ann)
            upstream.wait_for(1, gate="held")

            second = pool.post(PATHS["responses"], TURN, bob)
            upstream.release("held")

        assert (first.result().status_code, second.status_code) == (200, 404)

    def test_second_may_have_it_where_the_first_was_refused(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("east", upstream.base_url())
        refused = {"play": "http_error", "status": 400}
        upstream.script(refused, {"play": "text"}, refused)
        ann, bob = pool.key("ann"), pool.key("bob")

        assert pool.post(PATHS["responses"], TURN, ann).status_code == 400
        pool.wait_for_rows(1)
        assert pool.post(PATHS["responses"], TURN, bob).status_code == 200
        pool.wait_for_rows(2)
        assert pool.post(PATHS["responses"], TURN, bob).status_code == 400
        pool.wait_for_rows(3)
        assert pool.post(PATHS["responses"], TURN, ann).status_code == 404
