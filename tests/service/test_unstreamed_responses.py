"""A request that is not streamed goes upstream unstreamed, and its response arrives as it was sent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.limits.limit_syntax import parse_limit
from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Json = dict[str, Any]

USAGE: Json = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "cost": 0.001}
COMPLETION: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4.1",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hi",
                "refusal": None,
                "annotations": [],
                "citations": [1],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
    "system_fingerprint": None,
    "vendor": {"x": [None, 1.50]},
}
RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-4.1",
    "status": "completed",
    "error": None,
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi", "annotations": [], "vendor": None}],
        }
    ],
    "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10, "vendor": 1},
    "vendor": {"x": [None, 1.5]},
}
UNSTREAMED = {"chat": COMPLETION, "responses": RESPONSE}


def sent_bodies(upstream: ScriptedUpstream) -> list[Json]:
    return [seen.body or {} for seen in upstream.log() if seen.method == "POST"]


@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_every_field_arrives_and_usage_is_read(
    pool: PoolOfTest, upstream: ScriptedUpstream, protocol: str
) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "json", "body": UNSTREAMED[protocol]})

    response = pool.post(PATHS[protocol], BODIES[protocol], pool.key())

    assert (response.status_code, response.json()) == (200, UNSTREAMED[protocol])
    (sent,) = sent_bodies(upstream)
    assert sent["stream"] is False
    assert "stream_options" not in sent
    (row,) = pool.wait_for_rows(1)
    assert (row["source"], row["input_tokens"], row["output_tokens"]) == ("upstream", 7, 3)


@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_an_error_in_a_200_is_an_error_and_another_account_answers(
    pool: PoolOfTest, upstream: ScriptedUpstream, protocol: str
) -> None:
    pool.account("bad", upstream.base_url("bad"))
    pool.account("good", upstream.base_url("good"))
    error = {"error": {"message": "Overloaded", "code": "rate_limit_exceeded"}}
    upstream.script({"play": "json", "body": error}, account="bad")
    upstream.script({"play": "json", "body": UNSTREAMED[protocol]}, account="good")

    key = pool.key()
    for _ in range(2):
        assert pool.post(PATHS[protocol], BODIES[protocol], key).status_code == 200


def test_an_organisation_that_may_not_stream(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    message = "Your organization must be verified to stream this model."
    refused = {"error": {"message": message, "param": "stream", "code": "unsupported_value"}}
    plays = {
        "chat": {
            "streamed": {"play": "http_error", "status": 400, "body": refused},
            "whole": {"play": "json", "body": COMPLETION},
        }
    }
    upstream.script({"play": "fitting", "plays": plays})

    assert pool.post(PATHS["chat"], BODIES["chat"], pool.key()).json() == COMPLETION


@pytest.mark.parametrize("client", ["chat", "responses"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("sent", ["object", "chunk"])
def test_a_failure_that_minimax_reports_in_a_200(
    pool: PoolOfTest, upstream: ScriptedUpstream, client: str, stream: bool, sent: str
) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    base = {"status_code": 1008, "status_msg": "No balance."}
    failed: Json = {"id": "1", "choices": None, "base_resp": base}
    frame = f"data: {orjson.dumps({**failed, 'choices': []}).decode()}\n\n"
    streamed = {"status": 200, "headers": {"content-type": "text/event-stream"}, "steps": [{"send": frame}]}
    upstream.script({"play": "json", "body": failed} if sent == "object" else streamed)

    response = pool.post(PATHS[client], {**BODIES[client], "stream": stream}, pool.key())

    assert (response.status_code, pool.states()) == (429, {"a": "payment_required"})
    assert response.json()["error"]["code"] in ("insufficient_quota", "usage_limit_reached")


@pytest.mark.parametrize("protocol", ["chat", "responses"])
@pytest.mark.parametrize("other", ["chat", "responses"])
def test_a_stream_of_an_account_that_never_streams(
    pool: PoolOfTest, upstream: ScriptedUpstream, protocol: str, other: str
) -> None:
    pool.account("a", upstream.base_url(), protocols=(other,), stream_upstream="never")
    upstream.script({"play": "json", "body": UNSTREAMED[other]})

    response = pool.post(PATHS[protocol], {**BODIES[protocol], "stream": True}, pool.key())

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert "Hi" in response.text
    (sent,) = sent_bodies(upstream)
    assert sent["stream"] is False
    (row,) = pool.wait_for_rows(1)
    assert (row["source"], row["input_tokens"], row["output_tokens"]) == ("upstream", 7, 3)


@pytest.mark.parametrize("status", [400, 403])
def test_a_stream_of_an_organisation_that_may_not_stream(
    pool: PoolOfTest, upstream: ScriptedUpstream, status: int
) -> None:
    """The refusal of its first stream is remembered: the next one is sent unstreamed at once."""
    pool.account("a", upstream.base_url())
    message = "Your organization must be verified to stream this model."
    refused = {"error": {"message": message, "param": "stream", "code": "unsupported_value"}}
    plays = {
        "chat": {
            "streamed": {"play": "http_error", "status": status, "body": refused},
            "whole": {"play": "json", "body": COMPLETION},
        }
    }
    upstream.script({"play": "fitting", "plays": plays})
    key = pool.key()

    responses = [pool.post(PATHS["chat"], {**BODIES["chat"], "stream": True}, key) for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200]
    assert all("Hi" in response.text and response.text.endswith("data: [DONE]\n\n") for response in responses)
    assert [sent["stream"] for sent in sent_bodies(upstream)] == [True, False, False]
    row, _ = pool.wait_for_rows(2)
    assert row["attempts"][0]["repeated_without"] == ["streaming"]


@pytest.mark.parametrize(("kind", "streams"), [("openai", False), ("azure", False), ("compatible", True)])
def test_a_response_that_a_strict_limit_may_cut_is_streamed(
    pool: PoolOfTest, upstream: ScriptedUpstream, kind: str, streams: bool
) -> None:
    """OpenAI never sends more than the length; other servers may ignore it, and are watched."""
    pool.account("a", upstream.base_url(), kind=kind, protocols=("chat",))
    key = pool.key(limits=(parse_limit("1000 output_tokens/day"),))

    assert pool.post(PATHS["chat"], {**BODIES["chat"], "max_completion_tokens": 50}, key).status_code == 200
    assert sent_bodies(upstream)[0]["stream"] is streams


def test_a_pool_may_always_stream(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.set(settings='{"stream_upstream": "always"}')
    pool.account("a", upstream.base_url())

    assert pool.post(PATHS["chat"], BODIES["chat"], pool.key()).status_code == 200
    assert sent_bodies(upstream)[0]["stream"] is True
