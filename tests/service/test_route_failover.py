"""A failed attempt goes on at another account; a single failure is repeated, then the next model is tried."""

from __future__ import annotations

import time

import pytest

from app.relay.retry_policy import MAX_ATTEMPTS, MAX_WAIT_SECONDS
from tests.service.test_fallbacks import REFUSED, body_of
from tests.service.test_model_responses import PATHS
from tests.service.test_model_routes import set_route, target
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream


def tried(upstream: ScriptedUpstream) -> list[tuple[str, str]]:
    """Return the account and the model of each upstream request."""
    return [(seen.account, (seen.body or {})["model"]) for seen in upstream.take()]


def send(pool: PoolOfTest, model: str = "fast", *fallbacks: str, key: str = "") -> tuple[int, float]:
    """Return the status of a request with *key*, by default a new one, and its duration in seconds."""
    key = key or pool.key()
    began = time.monotonic()
    response = pool.post(PATHS["chat"], body_of("chat", *fallbacks, model=model), key)
    return response.status_code, time.monotonic() - began


@pytest.mark.parametrize("next_model", ["n", "m"])
def test_the_next_step_follows_one_repeat_at_a_single_account(
    pool: PoolOfTest, upstream: ScriptedUpstream, next_model: str
) -> None:
    a, c = (pool.account(name, upstream.base_url(name), kind="compatible") for name in "ac")
    upstream.script(REFUSED, account="a")
    set_route(pool, "fast", target("m", a), target(next_model, c))

    status, seconds = send(pool)

    assert (status, tried(upstream)) == (200, [("a", "m"), ("a", "m"), ("c", next_model)])
    assert seconds < MAX_WAIT_SECONDS  # of a request without later models


def test_a_wait_before_the_first_attempt_counts(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """The account is suspected when the second request arrives; then it fails again."""
    a, c = (pool.account(name, upstream.base_url(name), kind="compatible") for name in "ac")
    upstream.script(REFUSED, account="a")
    set_route(pool, "fast", target("m", a), target("n", c))
    key = pool.key()
    send(pool, key=key)

    status, seconds = send(pool, key=key)

    assert status == 200
    assert seconds < MAX_WAIT_SECONDS  # of a request without later models


def test_one_failure_of_a_step_is_repeated(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """A single failure of its only account does not change the model that answers."""
    a, c = (pool.account(name, upstream.base_url(name), kind="compatible") for name in "ac")
    upstream.script(REFUSED, {"play": "text", "text": "From m."}, account="a")
    set_route(pool, "fast", target("m", a), target("n", c))

    status, _ = send(pool)

    assert (status, tried(upstream)) == (200, [("a", "m"), ("a", "m")])
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_each_account_of_a_step_is_tried_once(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    a, b, c = (pool.account(name, upstream.base_url(name), kind="compatible") for name in "abc")
    upstream.script(REFUSED, account="a")
    upstream.script(REFUSED, account="b")
    set_route(pool, "fast", target("m", a, b), target("n", c))

    status, _ = send(pool)

    requests = tried(upstream)
    assert (status, sorted(requests[:-1]), requests[-1]) == (200, [("a", "m"), ("b", "m")], ("c", "n"))
    assert "suspected" in pool.states().values()  # an account that was waited for would be tested now


def test_attempts_are_bounded_if_all_models_fail(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(REFUSED)

    status, _ = send(pool, "m", "n", "o")

    models = [model for _, model in tried(upstream)]
    assert (status, models[:5], len(models) <= MAX_ATTEMPTS) == (500, ["m", "m", "n", "n", "o"], True)
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_a_single_model_is_repeated(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """There is nothing else to try, so one failure of the only account does not fail the request."""
    pool.account("a", upstream.base_url())
    upstream.script(REFUSED, {"play": "text", "text": "From m."})

    status, _ = send(pool, "m")

    assert (status, tried(upstream)) == (200, [("a", "m"), ("a", "m")])
