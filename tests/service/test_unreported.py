"""What is charged where an upstream reports its usage late, in pieces, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits.limit_syntax import parse_limit
from tests.service.test_failover import try_bad_first
from tests.service.test_leaving import send_request
from tests.service.test_model_responses import BODIES, PATHS, events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Json = dict[str, Any]

OUTPUT_LIMIT = "1000 output_tokens/day"
WRITTEN = "x" * 400
ESTIMATE = 100  # tokens of WRITTEN, at four bytes each
RESPONSE: Json = {"id": "resp_1", "object": "response", "model": "m", "status": "completed", "output": []}


def charged(pool: PoolOfTest, key: str) -> int:
    (limit,) = pool.get("/v1/usage", key).json()["limits"]
    assert limit["held_value"] == 0
    return int(limit["current_value"])


class TestUsageAfterTheEnd:
    """A caller who hangs up at the finish reason does not make hidden reasoning free."""

    BODY: Json = {**BODIES["chat"], "max_completion_tokens": 500, "stream": True}

    def leave_at_finish(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        usage = {"input_tokens": 9, "output_tokens": 400, "reasoning_tokens": 395}
        upstream.script({"play": "text", "text": "Hi.", "usage": usage, "at": {"usage": [{"gate": "usage"}]}})
        connection = send_request(pool, PATHS["chat"], self.BODY, key)
        heard = b""
        while b'"finish_reason":"stop"' not in heard:
            heard += connection.recv(65536)
        connection.close()
        upstream.wait_for(gate="usage")

    def test_is_read(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        key = pool.key(limits=(parse_limit(OUTPUT_LIMIT),))
        self.leave_at_finish(pool, upstream, key)

        upstream.release("usage")

        (row,) = pool.wait_for_rows(1)
        assert (row["source"], row["output_tokens"], row.get("unreported")) == ("upstream", 400, None)
        assert charged(pool, key) == 400

    def test_that_never_comes(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        key = pool.key(limits=(parse_limit(OUTPUT_LIMIT),))
        self.leave_at_finish(pool, upstream, key)

        (row,) = pool.wait_for_rows(1)

        assert (row["status"], row["source"], row["unreported"]) == (499, "estimated", "client_left")
        assert charged(pool, key) == 500


def test_a_server_that_ignores_its_length_is_cut_where_that_is_proven(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.account("local", upstream.base_url(), kind="compatible")
    upstream.script(
        {"play": "text", "text": "0123456789" * 50, "deltas": 50, "at": {"40": [{"stall": True}]}}
    )
    key = pool.key(limits=(parse_limit(OUTPUT_LIMIT),))

    body = {**BODIES["chat"], "max_tokens": 20, "stream": True}
    events = events_of(pool.post(PATHS["chat"], body, key).text)

    assert events[-2]["choices"][0]["finish_reason"] == "length"
    (row,) = pool.wait_for_rows(1)
    assert (row["status"], row["unreported"]) == (200, "cut")
    assert charged(pool, key) >= 21
    assert pool.gateway.services.accounts.find(pool.name, "local").exceeded


def test_an_attempt_that_may_be_billed_leaves_no_room_for_another(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """The limit has room for one: what the first may have cost is charged, and no second one is sent."""
    for name in ("bad", "good"):
        pool.account(name, upstream.base_url(name))
    try_bad_first(pool)
    upstream.script({"before": [{"bill": {"output_tokens": 60}, "reset": True}]}, account="bad")
    key = pool.key(limits=(parse_limit("100 output_tokens/day"),))

    response = pool.post(PATHS["chat"], {**BODIES["chat"], "max_completion_tokens": 60}, key)

    assert response.status_code >= 400
    assert "limit of 100 output tokens per day" in response.json()["error"]["message"]
    assert [seen.account for seen in upstream.log()] == ["bad"]
    pool.wait_for_rows(1)
    assert charged(pool, key) == 60


def chat_chunk(finish: str | None = None, **delta: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def chat_call(kind: str, **more: str) -> Json:
    return {"index": 0, "id": "call_1", "type": kind, kind: {"name": "f", **more}}


def item_done(**item: Any) -> Json:
    return {"type": "response.output_item.done", "output_index": 0, "item": {"id": "i", **item}}


CALL: Json = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": WRITTEN}
CUSTOM: Json = {"type": "custom_tool_call", "call_id": "call_1", "name": "f", "input": WRITTEN}
MESSAGE: Json = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": WRITTEN}],
}
FORMS: dict[tuple[str, str], list[Json]] = {
    ("chat", "content"): [chat_chunk(content=WRITTEN), chat_chunk("stop")],
    ("chat", "custom tool"): [
        chat_chunk(tool_calls=[chat_call("custom", input=WRITTEN)]),
        chat_chunk("tool_calls"),
    ],
    ("chat", "function"): [
        chat_chunk(tool_calls=[chat_call("function", arguments=WRITTEN)]),
        chat_chunk("tool_calls"),
    ],
    ("chat", "function_call"): [
        chat_chunk(function_call={"name": "f", "arguments": WRITTEN}),
        chat_chunk("function_call"),
    ],
    ("chat", "reasoning"): [
        chat_chunk(reasoning_content=WRITTEN),
        chat_chunk(content="."),
        chat_chunk("stop"),
    ],
    ("responses", "function snapshot"): [item_done(**CALL, status="completed")],
    ("responses", "custom snapshot"): [item_done(**CUSTOM, status="completed")],
    ("responses", "message snapshot"): [item_done(**MESSAGE, status="completed")],
    ("responses", "custom delta"): [
        {"type": "response.output_item.added", "output_index": 0, "item": {"id": "i", **CUSTOM, "input": ""}},
        {
            "type": "response.custom_tool_call_input.delta",
            "output_index": 0,
            "item_id": "i",
            "delta": WRITTEN,
        },
        item_done(**CUSTOM, status="completed"),
    ],
    ("responses", "only at the end"): [],
}


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
@pytest.mark.parametrize(("wire", "form"), FORMS)
def test_what_a_model_wrote_counts_in_every_form(
    pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, wire: str, form: str
) -> None:
    """On each path, translated or not; the same text in several events counts once."""
    pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))
    events = FORMS[wire, form]
    if wire == "responses":
        output = [CALL | {"id": "i"}] if form == "only at the end" else []
        opened = {"type": "response.created", "response": {**RESPONSE, "status": "in_progress"}}
        end = {"type": "response.completed", "response": {**RESPONSE, "output": output}}
        events = [opened, *events, end]
    upstream.script({"play": "events", "events": events})
    key = pool.key(limits=(parse_limit(OUTPUT_LIMIT),))
    length = {"max_completion_tokens" if endpoint == "chat" else "max_output_tokens": 300}

    pool.post(PATHS[endpoint], {**BODIES[endpoint], **length, "stream": True}, key)

    (row,) = pool.wait_for_rows(1)
    assert (row["status"], row["source"], row["unreported"]) == (200, "estimated", "not_reported")
    assert ESTIMATE <= row["output_tokens"] <= ESTIMATE + 1
    assert charged(pool, key) == 300
