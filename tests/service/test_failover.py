"""When an account fails, another one responses; when all do, the client hears the truth."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.test_model_responses import BODIES, CHAT, PATHS, events_of, text_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

RATE_LIMITED = {
    "play": "http_error",
    "status": 429,
    "body": {"error": {"message": "Slow down", "type": "requests", "code": "rate_limit_exceeded"}},
}
FAILURES: dict[str, dict[str, Any]] = {
    "a server error": {"play": "http_error", "status": 500},
    "a burst limit": RATE_LIMITED,
    "a refused credential": {"play": "http_error", "status": 401},
    "a connection reset before headers": {"before": [{"reset": True}]},
    "a failure as first event": {"play": "error_in_stream", "at": {"start": []}},
    "an empty stream": {"status": 200, "headers": {"content-type": "text/event-stream"}, "steps": []},
    "a web page": {"status": 200, "headers": {"content-type": "text/html"}, "steps": [{"send": "<html>"}]},
    "garbage": {
        "status": 200,
        "headers": {"content-type": "text/event-stream"},
        "steps": [{"send": "data: {not json\n\n"}],
    },
}


@pytest.fixture
def two(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    """`bad` is tried first, `good` answers."""
    pool.account("bad", upstream.base_url("bad"), weight=100)
    pool.account("good", upstream.base_url("good"))
    return pool


def try_bad_first(pool: PoolOfTest) -> None:
    services = pool.gateway.services
    services.scripts.client.hset(f"pg:{{{pool.name}}}:pool", "policy", "ordered")
    for account in services.accounts.all(pool.name):
        services.scripts.client.zadd(
            f"pg:{{{pool.name}}}:ready:{account.offer}", {account.id: 0 if account.name == "bad" else 1}
        )


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("endpoint", ["chat", "responses"])
@pytest.mark.parametrize("stream", [False, True])
def test_another_account_answers(
    two: PoolOfTest, upstream: ScriptedUpstream, name: str, endpoint: str, stream: bool
) -> None:
    try_bad_first(two)
    upstream.script(FAILURES[name], account="bad")
    upstream.script({"play": "text", "text": "Here."}, account="good")

    response = two.post(PATHS[endpoint], {**BODIES[endpoint], "stream": stream}, two.key())

    assert response.status_code == 200
    assert response.headers["x-poolgate-account"] == "good"
    assert "Here" in response.text
    assert "error" not in [event for event in events_of(response.text) if event != "[DONE]"]
    (row,) = two.wait_for_rows(1)
    assert [attempt["account"] for attempt in row["attempts"]] != []
    assert len(row["attempts"]) == 2
    assert (two.open_leases(), two.in_flight()) == (0, 0)


def test_the_clients_own_mistake_is_reported_at_once(two: PoolOfTest, upstream: ScriptedUpstream) -> None:
    body = {
        "error": {"message": "Too long", "type": "invalid_request_error", "code": "context_length_exceeded"}
    }
    upstream.script({"play": "http_error", "status": 400, "body": body})

    response = two.post(PATHS["chat"], CHAT, two.key())

    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert len(upstream.log()) == 1
    assert set(two.states().values()) == {"active"}


def test_a_spent_pool_reports_the_first_reset(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Also the caller whose request found out, and also for accounts that were known to be spent."""
    for name, seconds in (("a", 9000), ("b", 7200)):
        pool.account(name, upstream.base_url(name))
        error = {
            "message": "Spent",
            "type": "usage_limit_reached",
            "plan_type": "plus",
            "resets_in_seconds": seconds,
        }
        upstream.script({"play": "http_error", "status": 429, "body": {"error": error}}, account=name)
    key = pool.key()

    responses = [pool.post(PATHS["chat"], CHAT, key) for _ in range(3)]

    for response in responses:
        error = response.json()["error"]
        assert (response.status_code, error["type"], error["code"]) == (429, *["usage_limit_reached"] * 2)
        assert 7100 < error["resets_in_seconds"] <= 7200
        assert error["message"].endswith(("reset in 2 h", "reset in 1 h 59 min"))
        assert "Retry-After" not in response.headers
    assert responses[0].json()["error"]["plan_type"] == "plus"
    assert len(upstream.log()) == 2
    assert pool.states() == {"a": "window_spent", "b": "window_spent"}


def test_a_dead_upstream_credential_is_not_the_clients_fault(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.account("a", upstream.base_url("a"))
    upstream.script({"play": "http_error", "status": 401})

    response = pool.post(PATHS["chat"], CHAT, pool.key())

    assert response.status_code == 502
    assert pool.states() == {"a": "credential_dead"}


def test_an_empty_pool_is_reported(pool: PoolOfTest) -> None:
    response = pool.post(PATHS["chat"], CHAT, pool.key())

    assert (response.status_code, response.json()["error"]["code"]) == (503, "no_accounts")


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_a_cut_after_the_first_event_is_never_a_finish(
    two: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
) -> None:
    try_bad_first(two)
    upstream.script({"play": "text", "text": "Half of it", "deltas": 4, "at": {"2": [{"reset": True}]}})

    events = events_of(two.post(PATHS[endpoint], {**BODIES[endpoint], "stream": True}, two.key()).text)

    if endpoint == "chat":
        assert events[-2]["error"]["code"] == "stream_incomplete"
        assert events[-1] == "[DONE]"
        assert not any(event["choices"][0]["finish_reason"] for event in events[:-2])
    else:
        assert events[-1]["type"] == "response.failed"
        assert events[-1]["response"]["error"]["code"] == "stream_incomplete"
    (row,) = two.wait_for_rows(1)
    assert (row["status"], row["error"]) == (502, "stream_incomplete")


def test_a_cut_response_without_streaming_is_requested_again(
    two: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """The client has seen nothing, so starting again loses nothing."""
    two.set(settings='{"stream_upstream": "always"}')
    try_bad_first(two)
    upstream.script(
        {"play": "text", "text": "Half of it", "deltas": 4, "at": {"2": [{"reset": True}]}}, account="bad"
    )
    upstream.script({"play": "text", "text": "All of it"}, account="good")

    response = two.post(PATHS["chat"], CHAT, two.key())

    assert text_of("chat", response.json()) == "All of it"
