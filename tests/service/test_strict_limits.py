"""Strict limits hold by HTTP and over WebSocket alike, however many requests come at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.limits.limit_syntax import parse_limit
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream
from tests.support.websocket import TERMINAL, socket_of

REQUESTS = 24
BODY = {"model": "gpt-4.1", "input": "Hello", "max_output_tokens": 20}
Outcome = tuple[int, str]  # status, and the code of an error
Json = dict[str, Any]


def by_http(pool: PoolOfTest, key: str, body: Json) -> list[Outcome]:
    """Return the outcomes of as many requests at once."""

    def send(_: int) -> Outcome:
        response = pool.post("/v1/responses", {**body, "stream": True}, key)
        return response.status_code, "" if response.ok else response.json()["error"]["code"]

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(send, range(REQUESTS)))


def by_websocket(pool: PoolOfTest, key: str, body: Json) -> list[Outcome]:
    """The same in lanes of two connections."""
    outcomes: list[Outcome] = []
    with socket_of(pool, key) as first, socket_of(pool, key) as second:
        for number in range(REQUESTS // 2):
            for client in (first, second):
                client.send({"type": "response.create", "stream_id": str(number), **body})
        for client in (first, second):
            ended = 0
            while ended < REQUESTS // 2:
                event = client.receive()
                if event["type"] in TERMINAL:
                    ended += 1
                    is_error = event["type"] == "error"
                    outcomes.append((event["status"], event["error"]["code"]) if is_error else (200, ""))
    return outcomes


Send = Callable[[PoolOfTest, str, Json], list[Outcome]]


@pytest.mark.parametrize("send", [by_http, by_websocket])
class TestStrictLimits:
    @pytest.mark.parametrize("limit", ["5 requests/day", "100 output_tokens/day", "0.00081 usd/day"])
    def test_all_at_once(self, pool: PoolOfTest, upstream: ScriptedUpstream, send: Send, limit: str) -> None:
        """Never more than the limit is used, and each other request is refused with its code."""
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "usage": {"input_tokens": 1, "output_tokens": 20}})
        key = pool.key(limits=(parse_limit(limit),))

        outcomes = send(pool, key, BODY)

        admitted = outcomes.count((200, ""))
        assert 1 <= admitted <= 5
        assert {outcome for outcome in outcomes if outcome != (200, "")} == {(429, "rate_limit_exceeded")}
        rows = pool.wait_for_rows(admitted)
        assert len(rows) == admitted
        assert sum(row["output_tokens"] for row in rows) <= 100
        assert pool.open_leases() == 0

    def test_parallel_requests(self, pool: PoolOfTest, upstream: ScriptedUpstream, send: Send) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"sleep": 0.2}]}})
        key = pool.key(limits=(parse_limit("2 parallel_requests"),))

        outcomes = send(pool, key, BODY)

        assert outcomes.count((200, "")) >= 2
        assert {status for status, _ in outcomes} == {200, 429}
        seen = [(each.at, each.ended_at) for each in upstream.wait_for(2)]
        assert max(sum(at <= start < (end or at) for at, end in seen) for start, _ in seen) <= 2

    def test_a_request_that_never_fits(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, send: Send
    ) -> None:
        pool.account("a", upstream.base_url())
        key = pool.key(limits=(parse_limit("10 output_tokens/day"),))

        assert {status for status, _ in send(pool, key, BODY)} == {429}
        assert upstream.log() == []
