"""The ledger row of a request: who, what, how it went, what it cost and what was wasted."""

from __future__ import annotations

from tests.service.test_failover import try_bad_first
from tests.service.test_model_responses import BODIES, CHAT, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream


def test_a_row_describes_its_request(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    account = pool.account("a", upstream.base_url())
    upstream.script({"play": "text", "text": "Hi.", "usage": {"input_tokens": 1000, "output_tokens": 100}})
    response = pool.post(PATHS["chat"], {**CHAT, "model": "gpt-4o"}, pool.key())

    (row,) = pool.wait_for_rows(1)

    assert row["id"] == response.headers["x-poolgate-request-id"]
    assert (row["account"], row["model"], row["endpoint"]) == (account.id, "gpt-4o", PATHS["chat"])
    assert (row["input_tokens"], row["output_tokens"]) == (1000, 100)
    assert row["cost"] == 2500 + 1000  # micro-dollars at $2.50 and $10 per million
    assert 0 <= row["first_ms"] <= row["total_ms"]
    assert "waste_cost" not in row


def test_an_attempt_that_came_to_nothing_is_waste_and_not_the_clients(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.set(settings='{"stream_upstream": "always"}')
    pool.account("bad", upstream.base_url("bad"))
    pool.account("good", upstream.base_url("good"))
    try_bad_first(pool)
    half = {"play": "text", "text": "Half an answer", "deltas": 4, "at": {"2": [{"reset": True}]}}
    upstream.script(half, account="bad")
    usage = {"input_tokens": 10, "output_tokens": 10}
    upstream.script({"play": "text", "text": "All of it", "usage": usage}, account="good")

    pool.post(PATHS["chat"], {**CHAT, "model": "gpt-4o"}, pool.key())

    (row,) = pool.wait_for_rows(1)
    cut = row["attempts"][0]
    assert (row["input_tokens"], row["output_tokens"]) == (
        10 + cut["input_tokens"],
        10 + cut["output_tokens"],
    )
    assert row["waste_cost"] == cut["cost"]
    assert row["attempts"][0]["error"] == "stream_incomplete"
    assert row["attempts"][0]["wasted_tokens"] > 0
    assert row["waste_cost"] > 0


def test_a_request_that_may_have_been_served_is_marked(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("bad", upstream.base_url("bad"))
    pool.account("good", upstream.base_url("good"))
    try_bad_first(pool)
    upstream.script({"before": [{"reset": True}]}, account="bad")

    pool.post(PATHS["responses"], BODIES["responses"], pool.key())

    (row,) = pool.wait_for_rows(1)
    assert row["attempts"][0]["maybe_billed"] is True


def test_usage_windows_are_read_from_headers(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    headers = {
        "x-codex-primary-used-percent": "37.5",
        "x-codex-primary-reset-after-seconds": "3600",
        "x-codex-secondary-used-percent": "5",
        "x-codex-secondary-reset-after-seconds": "86400",
    }
    upstream.script({"play": "text", "headers": headers})

    pool.post(PATHS["chat"], CHAT, pool.key())
    pool.wait_for_rows(1)

    (account,) = pool.gateway.services.accounts.all(pool.name)
    assert account.used == (37.5, 5.0)
