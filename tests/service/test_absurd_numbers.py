"""Absurd numbers and names from upstreams and callers: nothing breaks, and the ledger stays correct."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from app.ledger.verify import Verification
from app.limits.limit_syntax import parse_limit
from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.records.limits import Limit
from schemas.bounds import MAX_COST
from tests.service.test_basic_chat import basic
from tests.service.test_model_responses import CHAT, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

BEYOND = 2**63
USAGE: dict[str, Any] = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
BASIC = "/api/v1/openai/chat/completions"
Json = dict[str, Any]


def answering(usage: Json) -> Json:
    """Return a play as text: the upstream's own JSON writer refuses such numbers."""
    delta = {"role": "assistant", "content": "Hi"}
    events = [
        {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"id": "c", "choices": [], "usage": usage},
    ]
    frames = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return {
        "headers": {"content-type": "text/event-stream"},
        "steps": [{"send": frames + "data: [DONE]\n\n"}],
    }


def settled_once(pool: PoolOfTest) -> Json:
    """Return the one row of a pool in which nothing is open and every total is right."""
    (row,) = pool.wait_for_rows(1)
    assert (pool.open_leases(), pool.open_requests(), pool.in_flight()) == (0, 0, 0)
    assert Verification(LedgerRepository(pool.gateway.services.scripts), pool.name).differences() == []
    assert set(pool.states().values()) <= {"active", "suspected", "burst_limited", "window_spent"}
    return row


class TestUsage:
    @pytest.fixture
    def limit(self) -> Limit:
        return parse_limit("5000 total_tokens/day")

    def test_a_detail_beyond_64_bits_is_left_out(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, limit: Limit
    ) -> None:
        pool.account("a", upstream.base_url(), protocols=("chat",))
        upstream.script(answering({**USAGE, "completion_tokens_details": {"reasoning_tokens": BEYOND}}))

        response = pool.post(PATHS["chat"], {**CHAT, "max_tokens": 50}, pool.key(limits=(limit,)))

        assert response.status_code == 200, response.text
        row = settled_once(pool)
        assert (row["input_tokens"], row["output_tokens"]) == (7, 3)
        assert "reasoning_tokens" not in row
        counters = pool.gateway.services.scripts.client.hgetall(keys.limit(pool.name, limit.id))
        assert (int(counters["s"]), int(counters.get("h") or 0)) == (10, 0)

    @pytest.mark.parametrize("field", ["prompt_tokens", "completion_tokens"])
    @pytest.mark.parametrize("number", [BEYOND, 2**64, 10**13, 1e300])
    def test_a_count_beyond_belief_is_charged_at_the_bound(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, limit: Limit, field: str, number: float
    ) -> None:
        pool.account("a", upstream.base_url(), protocols=("chat",))
        upstream.script(answering({**USAGE, field: number}))

        response = pool.post(PATHS["chat"], {**CHAT, "max_tokens": 50}, pool.key(limits=(limit,)))

        assert response.status_code == 200, response.text
        row = settled_once(pool)
        assert row["source"] == "estimated"
        assert row["output_tokens"] + row["unreported_output_tokens"] == 50


@pytest.mark.parametrize(
    "headers",
    [
        {"x-codex-primary-used-percent": "5", "x-codex-primary-reset-at": "1e300"},
        {"x-codex-primary-used-percent": "1e308", "x-codex-primary-reset-after-seconds": "1e306"},
        {"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "1e300"},
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_headers_of_a_good_response(
    pool: PoolOfTest, upstream: ScriptedUpstream, headers: dict[str, str], stream: bool
) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    upstream.script({"play": "text", "text": "Hi", "headers": headers})

    response = pool.post(PATHS["chat"], {**CHAT, "stream": stream}, pool.key())

    assert response.status_code == 200
    assert "server_error" not in response.text
    assert settled_once(pool)["source"] == "upstream"


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"retry-after": "1e306"}, {}),
        ({"retry-after": "9" * 400}, {}),
        ({"retry-after-ms": "1e308"}, {}),
        ({}, {"resets_at": 1e30}),
        ({}, {"resets_in_seconds": 1e30}),
        ({}, {"resets_at": BEYOND, "resets_in_seconds": BEYOND}),
        ({}, {"message": "Please try again in 99999999999999999999d"}),
    ],
)
def test_waits_of_a_refusal(
    pool: PoolOfTest, upstream: ScriptedUpstream, headers: dict[str, str], error: Json
) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    body = json.dumps({"error": {"message": "Not now.", "code": "rate_limit_exceeded", **error}})
    upstream.script({"play": "http_error", "status": 429, "body": body, "headers": headers})

    response = pool.post(PATHS["chat"], CHAT, pool.key())

    assert response.status_code == 429
    assert response.json()["error"]["code"] != "server_error"
    settled_once(pool)


class TestRequests:
    @pytest.mark.parametrize("path", [*PATHS.values(), BASIC, "/v1/embeddings"])
    @pytest.mark.parametrize("model", ["m" * 257, "gpt-5" + "codex" * 20_000])
    def test_a_long_name_is_refused_before_anything_stores_or_matches_it(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str, model: str
    ) -> None:
        pool.account("a", upstream.base_url())
        key = pool.key(limits=(parse_limit("1000 requests/day for gpt-5*codex*mini"),))
        headers = basic("", key) if path == BASIC else {}

        response = pool.post(path, {**CHAT, "input": "Hi", "model": model}, key, headers=headers)

        assert response.status_code in (400, 422)
        assert response.json()["error"]["param"] == "model"
        assert len(response.content) < 5000
        assert (pool.rows(), upstream.log()) == ([], [])

    @pytest.mark.parametrize("tier", [[1], {"a": 1}, 5, "x" * 65])
    def test_a_service_tier_that_is_none(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, tier: Any
    ) -> None:
        pool.account("a", upstream.base_url())

        response = pool.post(PATHS["chat"], {**CHAT, "model": "gpt-4o", "service_tier": tier}, pool.key())

        assert (response.status_code, response.json()["error"]["param"]) == (400, "service_tier")

    def test_many_findings_are_few_in_the_response(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        key = pool.key()
        data = gzip.compress(b'{"model":"m","messages":[' + b",".join([b"1"] * 15_000) + b"]}")
        headers = {**basic("", key), "content-encoding": "gzip", "content-type": "application/json"}

        response = pool.post(BASIC, None, headers=headers, data=data)

        assert response.status_code in (400, 422)
        assert len(response.content) < 10_000

    def test_many_small_values_are_refused(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        data = gzip.compress(b'{"model":"m","zzz":[' + b",".join([b"[]"] * 2_000_000) + b'],"messages":[]}')
        headers = {"content-encoding": "gzip", "content-type": "application/json"}

        response = pool.post(PATHS["chat"], None, pool.key(), headers=headers, data=data)

        assert response.status_code in (400, 413)
        assert response.json()["error"]["type"] == "invalid_request_error"


class TestPrices:
    @pytest.mark.parametrize("tokens", [10**12, 10**13, 2**53])
    @pytest.mark.parametrize("limits", [(), ("5000 usd/day balanced",), ("5000 requests/day",)])
    def test_attempts_at_a_price_beyond_belief(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, tokens: int, limits: tuple[str, ...]
    ) -> None:
        """Three failed attempts without usage, each of which may have billed more than a row can hold."""
        rates = {"input": 10**11, "output": 10**11, "cached_input": 10**11}
        pool.gateway.services.prices.put(pool.name, "m", {"standard": rates})
        for name in ("a", "b", "c"):
            pool.account(name, upstream.base_url(name), kind="compatible", protocols=("chat",))
        upstream.script({"play": "json", "body": {"oops": 1}})
        key = pool.key(limits=tuple(map(parse_limit, limits)))

        response = pool.post(PATHS["chat"], {**CHAT, "model": "m", "max_tokens": tokens, "stream": True}, key)

        assert response.status_code in (502, 503), response.text
        row = settled_once(pool)
        charged = row["unreported_cost"] + row["cost"]
        assert 0 < charged <= 2 * MAX_COST
        assert sum(attempt.get("unreported_cost", 0) for attempt in row["attempts"]) == row["unreported_cost"]

    def test_details_beyond_their_totals(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """They cost no more than the totals do at the highest rate."""
        rates = {
            "input": 2_000_000,
            "output": 8_000_000,
            "cached_input": 1_000_000,
            "audio_input": 40_000_000,
        }
        pool.gateway.services.prices.put(pool.name, "m", {"standard": rates, "max_output": 50})
        pool.account("a", upstream.base_url(), protocols=("chat",))
        names = ("cached_tokens", "audio_tokens", "image_tokens", "cache_creation_tokens", "reasoning_tokens")
        details = dict.fromkeys(names, 10**12)
        usage = {**USAGE, "prompt_tokens_details": details, "completion_tokens_details": details}
        upstream.script(answering(usage))
        limit = parse_limit("1 usd/day")

        response = pool.post(PATHS["chat"], {**CHAT, "model": "m"}, pool.key(limits=(limit,)))

        assert response.status_code == 200, response.text
        row = settled_once(pool)
        assert (row["cached_tokens"], row["cache_write_tokens"], row["reasoning_tokens"]) == (7, 7, 3)
        assert row["cost"] == 7 * 40 + 3 * 8
