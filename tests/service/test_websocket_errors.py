"""
How responses over WebSocket fail: with one last message each, which has a status if it is an error.

The Codex CLI ignores an error without a numeric status, and reads whatever follows the end of a response
as the beginning of the next one.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.limits.limit_syntax import parse_limit
from tests.service.test_model_responses import PATHS
from tests.support.gateway import PoolOfTest
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream
from tests.support.websocket import TERMINAL, socket_of, text_in

Json = dict[str, Any]

CREATED: Json = {"type": "response.created", "response": {"id": "resp_1", "object": "response"}}
COMPLETED: Json = {
    "type": "response.completed",
    "response": {"id": "resp_1", "object": "response", "status": "completed", "output": [], "usage": None},
}
DELTA: Json = {
    "type": "response.output_text.delta",
    "item_id": "msg_1",
    "output_index": 0,
    "content_index": 0,
    "delta": "late",
}
ERROR: Json = {"type": "error", "code": "server_error", "message": "late", "param": None}
HALF: Json = {"play": "text", "text": "one two", "deltas": 2}


def http_error(status: int, **error: Any) -> Json:
    return {"play": "http_error", "status": status, "body": {"error": {"message": "No", **error}}}


def broken(form: str, after: int = 1) -> Json:
    return {"play": "error_in_stream", "text": "one two", "deltas": 2, "after": after, "form": form}


PLAYS: dict[str, Json] = {
    "400": http_error(400, type="invalid_request_error", code="invalid_value", param="input"),
    "401": http_error(401, type="authentication_error"),
    "403": http_error(403, type="permission_error"),
    "404": http_error(404, type="invalid_request_error", code="model_not_found"),
    "429": http_error(429, type="rate_limit_error", code="rate_limit_exceeded"),
    "429, its usage is spent": http_error(429, type="usage_limit_reached", resets_in_seconds=100),
    "500": http_error(500, type="server_error"),
    "503": http_error(503, type="server_error", code="server_is_overloaded"),
    "failed": broken("failed"),
    "an error event": broken("error"),
    "a nested error event": broken("nested"),
    "failed at once": broken("failed", 0),
    "an error event at once": broken("error", 0),
    "incomplete": {"play": "incomplete", "text": "one"},
    "cut": {**HALF, "at": {"1": [{"reset": True}]}},
    "cut at once": {"before": [{"reset": True}]},
    "no end": {"play": "responses_events", "events": [CREATED, DELTA], "done": True},
    "no events": {"play": "responses_events", "events": [], "done": True},
    "no JSON": {"status": 200, "headers": {"content-type": "text/html"}, "steps": [{"send": "<html>"}]},
    "more after the end": {"play": "responses_events", "events": [CREATED, COMPLETED, DELTA, ERROR]},
    "two ends": {"play": "responses_events", "events": [CREATED, COMPLETED, COMPLETED]},
}


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        (name, protocol)
        for protocol in ("responses", "chat")
        for name, play in PLAYS.items()
        if protocol == "responses" or play.get("play") != "responses_events"
    ],
)
def test_one_end(pool: PoolOfTest, upstream: ScriptedUpstream, name: str, protocol: str) -> None:
    """Nothing follows it, and the connection serves the next request."""
    protocols = (protocol,)
    pool.account("a", upstream.base_url("a"), kind="compatible", protocols=protocols)
    pool.account("b", upstream.base_url("b"), kind="compatible", protocols=protocols, models=("other",))
    upstream.script(PLAYS[name], account="a")
    upstream.script({"play": "text", "text": "Good morning."}, account="b")
    with socket_of(pool, pool.key()) as client:
        client.create("First")
        first = client.until_end()
        client.create("Second", model="other", stream_id="next")
        second: list[Json] = []
        while not second or second[-1]["type"] not in TERMINAL:
            second.append(client.receive())  # of whichever lane

    assert [event["type"] for event in first if event["type"] in TERMINAL] == [first[-1]["type"]]
    assert {event.get("stream_id") for event in second} == {"next"}
    assert text_in(second) == "Good morning."
    if first[-1]["type"] == "error":
        assert first[-1]["status"] >= 400
        assert first[-1]["error"]["message"]
        assert {"type", "code", "message", "param"} <= first[-1]["error"].keys()
    else:
        assert first[0]["type"] == "response.created"
    assert eventually(lambda: pool.open_leases() == 0)


class TestRefusals:
    """They have the status that they have over HTTP."""

    def test_no_accounts(self, pool: PoolOfTest) -> None:
        with socket_of(pool, pool.key()) as client:
            (error,) = client.respond()
        assert (error["status"], error["error"]["code"]) == (503, "no_accounts")

    def test_a_model_that_the_key_may_not_use(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        with socket_of(pool, pool.key(models=("other",))) as client:
            (error,) = client.respond()
        assert (error["status"], error["error"]["code"]) == (403, "model_not_allowed")

    def test_a_limit(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Where it says when to send the request again, in both places that clients read."""
        pool.account("a", upstream.base_url())
        key = pool.key(limits=[parse_limit("1 requests/minute")])
        with socket_of(pool, key) as client:
            assert client.respond()[-1]["type"] == "response.completed"
            (error,) = client.respond()
        response = pool.post(PATHS["responses"], {"model": "m", "input": "Hello"}, key)

        assert (error["status"], error["error"]["type"]) == (429, "rate_limit_error")
        assert error["error"]["code"] == response.json()["error"]["code"]
        assert 0 < int(error["headers"]["retry-after"]) <= 60
        assert error["error"]["headers"] == error["headers"]

    def test_the_lane_is_named(self, pool: PoolOfTest) -> None:
        with socket_of(pool, pool.key()) as client:
            assert client.respond(stream_id="a")[-1]["stream_id"] == "a"


def test_a_connection_that_waits_is_open(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Also where its client has sent nothing but a request, and nothing is received for it."""
    pool.account("a", upstream.base_url())
    upstream.script({**HALF, "before": [{"sleep": 3}]})
    with socket_of(pool, pool.key(), ping_interval=0.5, ping_timeout=2) as client:
        began = time.monotonic()
        assert text_in(client.respond()) == "one two"
        assert time.monotonic() - began > 2
