"""Limits, costs and usage, as a running service enforces and records them."""

from __future__ import annotations

from typing import Any

import pytest

from app.ledger.verify import Verification
from app.limits.limit_syntax import parse_limit
from app.stores.ledger import LedgerRepository
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
PATH = "/v1/chat/completions"
REQUESTED = {"model": "gpt-4.1", "input": "Hello"}
CODEX = {
    "model": "gpt-4.1",
    "instructions": "",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
    "stream": True,
    "store": False,
}


def services(pool: PoolOfTest) -> Any:
    return pool.gateway.services


@pytest.fixture
def key(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    pool.account("a", upstream.base_url())
    return pool.key()


def limit(pool: PoolOfTest, text: str) -> None:
    key_id = services(pool).api_keys.find(pool.name, "k").id
    services(pool).limits.add(pool.name, parse_limit(text), key_id)


class TestCost:
    def test_of_the_price_list(self, pool: PoolOfTest, key: str) -> None:
        pool.post(PATH, CHAT, key)

        (row,) = pool.wait_for_rows(1)
        price = services(pool).prices.current(pool.name).rows()["gpt-4.1"]
        assert row["cost"] == row["input_tokens"] * 2 + row["output_tokens"] * 8
        assert row["price"] == price["version"]

    def test_of_the_pools_own(self, pool: PoolOfTest, key: str) -> None:
        """A price holds from the next request on, in every worker."""
        pool.post(PATH, CHAT, key)
        services(pool).prices.put(
            pool.name, "gpt-4.1", {"standard": {"input": 7_000_000, "output": 1_000_000}}
        )
        for _ in range(4):
            pool.post(PATH, CHAT, key)

        rows = pool.wait_for_rows(5)
        assert {row["price"] for row in rows[1:]} == {"pool-1"}
        assert rows[1]["cost"] == rows[1]["input_tokens"] * 7 + rows[1]["output_tokens"]

    def test_strict_limit_and_a_model_without_a_price(self, pool: PoolOfTest, key: str) -> None:
        limit(pool, "5 usd/day")

        response = pool.post(PATH, {**CHAT, "model": "llama"}, key)

        assert response.status_code == 429
        message = response.json()["error"]["message"]
        assert "limit of $5.00 per day is strict and the model 'llama' has no price" in message
        assert "poolgate price set llama --input USD --output USD" in message

    def test_the_prefix_of_a_provider_belongs_to_the_name(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """For permissions, prices and limits alike; where it names an account it is removed before them."""
        account = pool.account("a", upstream.base_url())
        key = pool.key(models=("gpt-4.1", "openai/gpt-4.1"))
        limit(pool, "1 requests/ever for gpt-4.1")
        prefixed = {**CHAT, "model": "openai/gpt-4.1"}

        assert pool.post(PATH, prefixed, key).status_code == 200
        assert pool.post(PATH, prefixed, key).status_code == 200
        assert (
            pool.post("/openai" + PATH, {**CHAT, "model": f"{account.name}/gpt-4.1"}, key).status_code == 200
        )
        assert pool.post(PATH, CHAT, key).status_code == 429
        assert pool.post(PATH, {**CHAT, "model": "a/gpt-4.1-x"}, key).status_code == 403
        rows = {row["model"]: row["price"] for row in pool.wait_for_rows(3)}
        assert rows["openai/gpt-4.1"] == "none"
        assert rows["gpt-4.1"] != "none"

    @pytest.mark.parametrize("text", ["5 usd/day", "1 requests/ever"])
    def test_unknown_model_is_reported_before_a_limit(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, text: str
    ) -> None:
        """A misspelled name is the caller's error, whatever limit it could not be checked against."""
        account = pool.account("a", upstream.base_url(), models=("gpt-4.1",))
        services(pool).accounts.list_models(pool.name, account.id, ["gpt-4.1"])
        key = pool.key()
        limit(pool, text)

        response = pool.post(PATH, {**CHAT, "model": "gpt-9"}, key)

        assert response.status_code == 404
        assert response.json()["error"]["code"] == "model_not_found"
        assert response.json()["error"]["message"] == "No account of this pool offers the model 'gpt-9'"

    def test_balanced_limit_and_a_model_without_a_price(self, pool: PoolOfTest, key: str) -> None:
        """It is admitted by a guess at the ceiling price, and charged at it."""
        limit(pool, "5 usd/day balanced")

        assert pool.post(PATH, {**CHAT, "model": "llama"}, key).status_code == 200

        (row,) = pool.wait_for_rows(1)
        assert "cost" not in row
        charged = pool.get("/v1/usage", key).json()["limits"][0]["current_value"]
        assert charged == row["ceiling_cost"] / 1e6 > 0


class TestUsage:
    def test_what_was_used_and_what_is_left(self, pool: PoolOfTest, key: str) -> None:
        limit(pool, "1000 total_tokens/day")
        pool.post(PATH, CHAT, key)
        (row,) = pool.wait_for_rows(1)

        body = pool.get("/v1/usage", key).json()

        tokens = row["input_tokens"] + row["output_tokens"]
        assert (body["request_count"], body["total_tokens"]) == (1, tokens)
        assert body["total_cost_usd"] == row["cost"] / 1e6
        (reply,) = body["limits"]
        assert (reply["current_value"], reply["remaining_value"], reply["held_value"]) == (
            tokens,
            1000 - tokens,
            0,
        )

    def test_needs_a_key(self, pool: PoolOfTest) -> None:
        assert pool.get("/v1/usage").status_code == 401

    def test_the_ledger_balances(self, pool: PoolOfTest, key: str) -> None:
        for _ in range(3):
            pool.post(PATH, CHAT, key)
        pool.wait_for_rows(3)

        assert Verification(LedgerRepository(services(pool).scripts), pool.name).differences() == []


class TestLengthFields:
    """A strict limit counts a length only by a name that the endpoint honours."""

    @pytest.mark.parametrize(
        ("path", "body", "foreign"),
        [
            (PATH, CHAT, ("max_output_tokens",)),
            ("/v1/responses", REQUESTED, ("max_tokens", "max_completion_tokens")),
            ("/backend-api/codex/responses", CODEX, ("max_tokens", "max_completion_tokens")),
        ],
    )
    def test_that_of_another_endpoint_bounds_nothing(
        self, pool: PoolOfTest, key: str, path: str, body: dict[str, Any], foreign: tuple[str, ...]
    ) -> None:
        limit(pool, "2000 output_tokens/day")
        requested = {name: value for name, value in body.items() if name != "max_tokens"}

        for name in foreign:
            response = pool.post(path, {**requested, name: 1}, key)

            assert (response.status_code, response.json()["error"]["type"]) == (429, "rate_limit_error")
        assert pool.rows() == []


SEARCH = {"type": "namespace", "name": "n", "tools": [{"type": "web_search"}]}
IMAGE = {"text": "x", "image_url": {"url": "https://example.test/a.png"}}  # no type


class TestReferences:
    @pytest.mark.parametrize(
        ("path", "more", "named"),
        [
            (PATH, {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, "messages"),
            (PATH, {"messages": [{"role": "user", "content": [IMAGE]}]}, "messages"),
            ("/v1/responses", {"input": "x", "tools": [SEARCH]}, "tools"),
            ("/v1/responses", {"input": "x", "conversation": "conv_1"}, "conversation"),
        ],
    )
    def test_a_strict_limit_names_what_adds_input(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str, path: str, more: Any, named: str
    ) -> None:
        limit(pool, "5000 input_tokens/day")

        response = pool.post(path, {"model": "gpt-4.1", **more}, key)

        assert response.status_code == 429, response.text
        assert f"'{named}' adds input that is not in it" in response.json()["error"]["message"]
        assert upstream.log() == []
