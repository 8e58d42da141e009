"""A failed attempt goes on at another account, else at the next model, without waits; repeats come last."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.relay.retry_policy import MAX_ATTEMPTS
from tests.service.test_fallbacks import REFUSED, body_of
from tests.service.test_model_responses import PATHS
from tests.service.test_model_routes import set_route, target
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

NO_WAIT_SECONDS = 1.5  # less than the shortest rest of a suspected account
DENIED = {
    "play": "http_error",
    "status": 401,
    "body": {"error": {"message": "No", "code": "invalid_api_key"}},
}


def tried(upstream: ScriptedUpstream) -> list[tuple[str, str]]:
    """Return the account and the model of each upstream request."""
    return [(seen.account, (seen.body or {})["model"]) for seen in upstream.take()]


def send(pool: PoolOfTest, model: str = "fast", *fallbacks: str) -> tuple[int, float]:
    """Return the status of a request and its duration in seconds."""
    began = time.monotonic()
    response = pool.post(PATHS["chat"], body_of("chat", *fallbacks, model=model), pool.key())
    return response.status_code, time.monotonic() - began


@pytest.mark.parametrize("next_model", ["n", "m"])
def test_the_next_step_follows_one_failure_of_a_single_account(
    pool: PoolOfTest, upstream: ScriptedUpstream, next_model: str
) -> None:
    """The failed account is suspected then, and is not waited for."""
    a, c = (pool.account(name, upstream.base_url(name), kind="compatible") for name in "ac")
    upstream.script(REFUSED, account="a")
    set_route(pool, "fast", target("m", a), target(next_model, c))

    status, seconds = send(pool)

    assert (status, tried(upstream)) == (200, [("a", "m"), ("c", next_model)])
    assert seconds < NO_WAIT_SECONDS


def test_each_account_of_a_step_is_tried_once(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    a, b, c = (pool.account(name, upstream.base_url(name), kind="compatible") for name in "abc")
    upstream.script(REFUSED, account="a")
    upstream.script(REFUSED, account="b")
    set_route(pool, "fast", target("m", a, b), target("n", c))

    status, seconds = send(pool)

    requests = tried(upstream)
    assert (status, sorted(requests[:-1]), requests[-1]) == (200, [("a", "m"), ("b", "m")], ("c", "n"))
    assert seconds < NO_WAIT_SECONDS


@pytest.mark.parametrize("failure", [REFUSED, DENIED], ids=["a failure", "a refused credential"])
def test_the_first_model_is_repeated_if_no_other_answers(
    pool: PoolOfTest, upstream: ScriptedUpstream, failure: dict[str, Any]
) -> None:
    """A single failure of its only account does not fail the request; the repeat has an entry of its own."""
    a, c = (pool.account(name, upstream.base_url(name), kind="compatible") for name in "ac")
    upstream.script(REFUSED, {"play": "text", "text": "From m."}, account="a")
    upstream.script(failure, account="c")
    set_route(pool, "fast", target("m", a), target("n", c))

    status, seconds = send(pool)

    assert (status, tried(upstream)) == (200, [("a", "m"), ("c", "n"), ("a", "m")])
    assert seconds < 4
    first, second, repeat = pool.wait_for_rows(3)
    assert [row["status"] < 400 for row in (first, second, repeat)] == [False, False, True]
    assert (second["id"], repeat["id"]) == (f"{first['id']}-1", f"{first['id']}-2")
    explain = pool.gateway.services.ledger.explainer.explain
    assert explain(pool.name, second["id"])["continued_as"] == repeat["id"]
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_the_last_model_is_repeated_at_last(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(REFUSED, model="m")
    upstream.script(REFUSED, {"play": "text", "text": "From n."}, model="n")

    status, _ = send(pool, "m", "n")

    assert (status, tried(upstream)) == (200, [("a", "m"), ("a", "n"), ("a", "m"), ("a", "n")])


def test_attempts_are_bounded_if_all_models_fail(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(REFUSED)

    status, seconds = send(pool, "m", "n", "o")

    models = [model for _, model in tried(upstream)]
    assert (status, models[:6], len(models) <= MAX_ATTEMPTS) == (500, ["m", "n", "o"] * 2, True)
    assert seconds < 4
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_a_single_model_is_repeated(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """There is nothing else to try, so one failure of the only account does not fail the request."""
    pool.account("a", upstream.base_url())
    upstream.script(REFUSED, {"play": "text", "text": "From m."})

    status, seconds = send(pool, "m")

    assert (status, tried(upstream)) == (200, [("a", "m"), ("a", "m")])
    assert seconds < NO_WAIT_SECONDS
