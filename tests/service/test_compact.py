"""A conversation is compacted by an account that can, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits.limit_syntax import parse_limit
from tests.service.test_common_rules import error_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

PATHS = ("/v1/responses/compact", "/backend-api/codex/responses/compact")
USER = {"role": "user", "content": "Hello"}
BODY: dict[str, Any] = {
    "model": "m",
    "instructions": "Be brief.",
    "input": [USER],
    "stream": True,
    "tools": [1],
}
COMPACTION = {"type": "compaction", "id": "cmp_1", "encrypted_content": "secret"}
USAGE = {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
NATIVE = {"id": "resp_1", "object": "response.compaction", "output": [USER, COMPACTION], "usage": USAGE}
RESPONSE = {"id": "resp_1", "object": "response", "output": [], "usage": USAGE}
STREAM = [
    {"type": "response.created", "response": {**RESPONSE, "usage": None}},
    {"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "summary": []}},
    {"type": "response.output_item.done", "output_index": 1, "item": COMPACTION},
    {"type": "response.completed", "response": RESPONSE},
]


def chatgpt(pool: PoolOfTest, upstream: ScriptedUpstream, name: str = "a") -> None:
    base_url = f"{upstream.root_url(name)}/backend-api"
    pool.account(name, base_url, kind="chatgpt", chatgpt_account_id="acc-1")


@pytest.mark.parametrize("path", PATHS)
class TestCompact:
    def test_by_a_chatgpt_account(self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str) -> None:
        """An ordinary request that ends with a trigger, without tools; only the compaction is used."""
        chatgpt(pool, upstream)
        upstream.script({"play": "events", "events": STREAM})

        response = pool.post(path, BODY, pool.key())

        assert response.status_code == 200, response.text
        reply = response.json()
        assert (reply["object"], reply["output"]) == ("response.compaction", [COMPACTION])
        assert reply["usage"] == USAGE
        (seen,) = upstream.log()
        assert seen.path == "/backend-api/codex/responses"
        assert seen.body is not None
        assert seen.body["input"][-1] == {"type": "compaction_trigger"}
        assert (seen.body["store"], "tools" in seen.body, "text" in seen.body) == (False, False, False)

    def test_by_an_openai_account(self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "json", "body": NATIVE}, path="/v1/responses/compact")

        response = pool.post(path, BODY, pool.key())

        assert response.json() == NATIVE
        (seen,) = upstream.log()
        assert seen.body is not None
        assert seen.body.keys() == {"model", "instructions", "input"}
        (row,) = pool.wait_for_rows(1)
        assert (row["input_tokens"], row["output_tokens"], row["source"]) == (7, 2, "upstream")
        assert (row["endpoint"], pool.open_leases(), pool.in_flight()) == (path, 0, 0)

    @pytest.mark.parametrize("kind", ["compatible", "demo", None])
    def test_by_no_account(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str, kind: str | None
    ) -> None:
        if kind:
            pool.account("a", upstream.base_url(), kind=kind)

        response = pool.post(path, BODY, pool.key())

        assert (response.status_code, error_of(response)["code"]) == (501, "not_implemented")
        assert response.headers["x-should-retry"] == "false"
        assert upstream.log() == []


class TestSharedRules:
    def test_another_account_compacts(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        for name in ("a", "b"):
            chatgpt(pool, upstream, name)
        upstream.script({"play": "http_error", "status": 500}, {"play": "events", "events": STREAM})

        assert pool.post(PATHS[0], BODY, pool.key()).json()["output"] == [COMPACTION]
        assert {seen.account for seen in upstream.log()} == {"a", "b"}

    def test_two_accounts_are_tried_and_no_more(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        for name in ("a", "b", "c"):
            chatgpt(pool, upstream, name)
        upstream.script({"play": "http_error", "status": 503})

        assert pool.post(PATHS[0], BODY, pool.key()).status_code >= 500
        assert len({seen.account for seen in upstream.log()}) == 2

    def test_a_response_without_a_compaction_is_a_failure(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        chatgpt(pool, upstream)

        response = pool.post(PATHS[0], BODY, pool.key())

        assert (response.status_code, error_of(response)["code"]) == (502, "upstream_error")

    def test_limits_hold(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        chatgpt(pool, upstream)
        upstream.script({"play": "events", "events": STREAM})
        key = pool.key(limits=(parse_limit("1 requests/ever"),))

        assert [pool.post(PATHS[0], BODY, key).status_code for _ in range(2)] == [200, 429]

    def test_a_file_that_lies_elsewhere_is_refused(self, pool: PoolOfTest) -> None:
        file = {"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}

        response = pool.post(PATHS[0], {**BODY, "input": [file]}, pool.key())

        assert (response.status_code, error_of(response)["param"]) == (400, "input")
