"""Another model answers where the first cannot: each with its own admission and its own row in the ledger."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import pytest
import requests

from app.ledger.caller_figures import errors_of_callers, requests_of_callers
from app.ledger.verify import Verification
from app.limits.limit_syntax import parse_limit
from app.operations.alert_conditions import error_alerts
from app.relay.retry_policy import MAX_ATTEMPTS
from tests.service.test_model_responses import BODIES, CHAT, PATHS, events_of, streamed_text, text_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

REFUSED = {"play": "http_error", "status": 500}
TOO_LONG = {
    "play": "http_error",
    "status": 400,
    "body": {
        "error": {
            "message": "This model's maximum context length is 8 tokens",
            "type": "invalid_request_error",
            "code": "context_length_exceeded",
            "param": "messages",
        }
    },
}
WRONG = {
    "play": "http_error",
    "status": 400,
    "body": {"error": {"message": "No such tool", "type": "invalid_request_error", "code": None}},
}


def body_of(endpoint: str, *fallbacks: str, **more: Any) -> dict[str, Any]:
    return {**BODIES[endpoint], "fallbacks": list(fallbacks), **more}


@pytest.mark.parametrize("endpoint", PATHS)
@pytest.mark.parametrize("failure", [REFUSED, TOO_LONG], ids=["a failure", "too long for the model"])
def test_the_next_model_answers(
    pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, failure: dict[str, Any]
) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(failure, model="m")
    upstream.script({"play": "text", "text": "From n."}, model="n")

    response = pool.post(PATHS[endpoint], body_of(endpoint, "n", "o"), pool.key())

    assert text_of(endpoint, response.json()) == "From n."
    assert all("fallbacks" not in (seen.body or {}) for seen in upstream.log())
    failed, served = pool.wait_for_rows(2)
    assert (failed["model"], failed["status"] >= 400, "asked" in failed) == ("m", True, False)
    assert (served["model"], served["asked"], served["status"]) == ("n", "m", 200)
    assert served["id"] == f"{failed['id']}-1"
    explainer = pool.gateway.services.ledger.explainer
    explained = explainer.explain(pool.name, response.headers["x-poolgate-request-id"])
    assert (explained["id"], explained["continued_as"]) == (failed["id"], served["id"])
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def used_in_total(pool: PoolOfTest, by: str = "all") -> dict[str, dict[str, int]]:
    return pool.gateway.services.ledger.series.series(pool.name, "24h", by).totals()


def test_a_failure_after_which_another_model_answered_is_no_error_of_the_caller(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """Rates count the answer. By model and by account, the failure remains one."""
    pool.account("a", upstream.base_url())
    upstream.script(REFUSED, model="m")
    upstream.script(TOO_LONG, model="n")
    upstream.script({"play": "text"}, model="o")
    key = pool.key()

    assert pool.post(PATHS["chat"], body_of("chat", "n", "o"), key).status_code == 200

    first, second, third = pool.wait_for_rows(3)
    assert ("fallback_of" in first, first["models"], "models" in third) == (False, 3, False)
    assert (second["fallback_of"], third["fallback_of"]) == (first["id"], second["id"])
    figures = used_in_total(pool)[""]
    assert (figures["requests"], figures["errors"], figures["fallbacks"]) == (3, 2, 2)
    assert figures["failed_before"] == figures["failed_attempts"] == len(first["attempts"])
    assert (requests_of_callers(figures), errors_of_callers(figures)) == (1, 0)
    assert pool.get("/v1/usage", key).json()["request_count"] == 1
    assert list(error_alerts(figures)) == []
    by_model = used_in_total(pool, "model")
    assert {model: figures["errors"] for model, figures in by_model.items()} == {"m": 1, "n": 1, "o": 0}
    assert Verification(pool.gateway.services.ledger.entries, pool.name).differences() == []


def test_a_request_that_failed_at_every_model_is_one_error(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """A model that was not admitted has no row, so nothing follows it."""
    pool.account("a", upstream.base_url(), models=["m", "n"])
    upstream.script(REFUSED)

    assert pool.post(PATHS["chat"], body_of("chat", "absent", "n"), pool.key()).status_code >= 500

    first, second = pool.wait_for_rows(2)
    assert second["fallback_of"] == first["id"]
    figures = used_in_total(pool)[""]
    assert (requests_of_callers(figures), errors_of_callers(figures)) == (1, 1)
    (alert,) = error_alerts(figures)
    assert (alert.details["failed"], alert.details["requests"]) == (1, 1)


def test_a_stream_too(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(TOO_LONG, model="m")
    upstream.script({"play": "text", "text": "From n."}, model="n")

    response = pool.post(PATHS["chat"], body_of("chat", "n", stream=True), pool.key())

    assert '"From n."' in response.text or "From" in response.text
    assert "error" not in response.text
    assert events_of(response.text)[-1] == "[DONE]"


def test_every_model_has_the_full_retry_budget(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url("a"))
    pool.account("b", upstream.base_url("b"))
    upstream.script({"play": "http_error", "status": 404, "body": {"error": {"code": "model_not_found"}}})
    upstream.script({"play": "text"}, account="b", model="n")

    response = pool.post(PATHS["chat"], body_of("chat", "n"), pool.key())

    assert response.status_code == 200
    requested = [(seen.body or {})["model"] for seen in upstream.log()]
    assert requested.count("m") == 2
    assert 1 <= requested.count("n") <= 2


def test_if_none_can_the_first_failure_is_reported(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(TOO_LONG, model="m")
    upstream.script(REFUSED, model="n")

    response = pool.post(PATHS["chat"], body_of("chat", "n"), pool.key())

    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_a_fault_of_the_request_is_reported_at_once(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(WRONG, model="m")

    response = pool.post(PATHS["chat"], body_of("chat", "n"), pool.key())

    assert response.status_code == 400
    assert len(upstream.log()) == 1


def test_no_fallback_after_the_first_event(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "error_in_stream", "text": "Half", "after": 1, "deltas": 2}, model="m")
    upstream.script({"play": "text", "text": "Whole"}, model="n")

    response = pool.post(PATHS["chat"], body_of("chat", "n", stream=True), pool.key())

    assert "error" in events_of(response.text)[-2]
    assert [(seen.body or {})["model"] for seen in upstream.log()] == ["m"]


def test_a_spent_limit_of_one_model_leaves_the_others(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    key = pool.key(limits=(parse_limit("1 requests/day for m"),))

    served = [pool.post(PATHS["chat"], body_of("chat", "n"), key).json()["model"] for _ in range(2)]

    assert served == ["m", "n"]


def test_a_key_may_not_fall_back_to_a_model_it_may_not_use(pool: PoolOfTest) -> None:
    response = pool.post(PATHS["chat"], body_of("chat", "n"), pool.key(models=("m",)))

    assert (response.status_code, response.json()["error"]["code"]) == (403, "model_not_allowed")


@pytest.mark.parametrize("fallbacks", ["n", [1], [""], {}, ["n"] * 17])
def test_fallbacks_are_names(pool: PoolOfTest, fallbacks: Any) -> None:
    response = pool.post(PATHS["chat"], {**CHAT, "fallbacks": fallbacks}, pool.key())

    assert (response.status_code, response.json()["error"]["param"]) == (400, "fallbacks")


def test_fallbacks_and_accounts_do_not_multiply(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Sixteen fallbacks over six accounts that all fail: few attempts in all, and each model has its turn."""
    for number in range(6):
        pool.account(f"a{number}", upstream.base_url(f"a{number}"))
    upstream.script(REFUSED)

    response = pool.post(PATHS["chat"], body_of("chat", *(f"n{n}" for n in range(16))), pool.key())

    assert response.status_code == 500
    requested = [(seen.body or {})["model"] for seen in upstream.log()]
    assert len(requested) <= MAX_ATTEMPTS
    assert "m" in requested
    assert "n0" in requested
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


@pytest.mark.parametrize("endpoint", PATHS)
def test_one_deadline_spans_all_models(pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str) -> None:
    pool.set(settings='{"time_limits": {"*": {"total": 5.0, "first_progress": 2.0}}}')
    pool.account("a", upstream.base_url())
    upstream.script({"before": [{"stall": True}]})
    began = time.monotonic()

    response = pool.post(PATHS[endpoint], body_of(endpoint, *(f"n{n}" for n in range(16))), pool.key())

    assert response.status_code == 502
    assert time.monotonic() - began < 15
    assert len(upstream.log()) <= 3


class TestAfterACut:
    """With `restart`: the same model once more, then the caller's fallbacks, one response to the caller."""

    TEXT = "The whole of it, from one end to the other."
    HEADERS: ClassVar[dict[str, str]] = {"x-poolgate-on-cut": "restart"}

    @pytest.mark.parametrize("endpoint", PATHS)
    def test_a_fallback_continues(self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str) -> None:
        pool.account("a", upstream.base_url())
        upstream.script(self._broken({"reset": True}), model="m")
        upstream.script({"play": "text", "text": self.TEXT, "deltas": 5}, model="n")

        response = self._send_request(pool, endpoint)

        assert streamed_text(endpoint, events_of(response.text)) == self.TEXT
        assert '"error":{' not in response.text
        requested = [(seen.body or {})["model"] for seen in upstream.log()]
        assert requested == ["m", "m", "n"]
        cut, served = pool.wait_for_rows(2)
        assert (cut["error"], served["status"], served["model"]) == ("stream_incomplete", 200, "n")
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    @pytest.mark.parametrize("endpoint", PATHS)
    def test_one_with_another_text_does_not(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script(self._broken({"reset": True}), model="m")
        upstream.script({"play": "text", "text": "Another text."}, model="n")

        events = events_of(self._send_request(pool, endpoint).text)

        failed = events[-2]["error"] if endpoint == "chat" else events[-1]["response"]["error"]
        assert failed["code"] == "stream_incomplete"
        assert self.TEXT.startswith(streamed_text(endpoint, [each for each in events if "error" not in each]))

    def test_a_stall_is_followed_by_one_attempt(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Not by one at each account and each fallback, each with a silence of its own."""
        pool.set(settings='{"time_limits": {"*": {"idle": 2.0}}}')
        for name in ("a", "b", "c"):
            pool.account(name, upstream.base_url(name))
        upstream.script(self._broken({"stall": True}))

        events = events_of(self._send_request(pool, "chat").text)

        assert events[-2]["error"]["code"] == "stream_idle_timeout"
        assert len(upstream.log()) == 2

    def test_a_cached_response_does_not_continue_one(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """It would begin from its beginning, and the rest of a response is not one to keep."""
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "text": self.TEXT, "deltas": 5}, model="n")
        key, headers = pool.key(), {**self.HEADERS, "x-bf-cache-key": "c"}
        body = body_of("chat", "n", stream=True)
        path = "/openai/v1/chat/completions"
        upstream.script(self._broken({"reset": True}), model="m")

        texts = [
            streamed_text("chat", events_of(pool.post(path, body, key, headers=headers).text))
            for _ in range(2)
        ]

        assert texts == [self.TEXT] * 2

    def _broken(self, *how: dict[str, Any]) -> dict[str, Any]:
        return {"play": "text", "text": self.TEXT, "deltas": 9, "at": {"4": list(how)}}

    def _send_request(self, pool: PoolOfTest, endpoint: str) -> requests.Response:
        return pool.post(
            PATHS[endpoint], body_of(endpoint, "n", stream=True), pool.key(), headers=self.HEADERS
        )
