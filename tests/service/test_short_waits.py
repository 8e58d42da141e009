"""A new request for which every account rests for a moment waits for it, instead of being refused."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from app.limits.limit_syntax import parse_limit
from app.relay.retry_policy import MAX_WAIT_SECONDS
from tests.service.test_model_responses import BODIES, PATHS, events_of, streamed_text
from tests.service.test_model_routes import set_route, target
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

LIMITED = {
    "play": "http_error",
    "status": 429,
    "body": {"error": {"message": "Slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}},
    "headers": {"retry-after": "2"},
}
TEXT = {"play": "text", "text": "Here it is."}
HELD = {**TEXT, "at": {"0": [{"gate": "held"}]}}


def send_request(pool: PoolOfTest, key: str, endpoint: str = "chat", **more: object) -> requests.Response:
    return pool.post(PATHS[endpoint], {**BODIES[endpoint], "stream": True, **more}, key)


def text(response: requests.Response, endpoint: str = "chat") -> str:
    return streamed_text(endpoint, events_of(response.text))


@pytest.fixture
def one(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    """A pool of one account that serves one request at a time."""
    pool.account("a", upstream.base_url(), cap=1)
    return pool


@pytest.mark.parametrize("endpoint", PATHS)
def test_a_burst_limit_is_waited_out(pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(LIMITED, TEXT)
    key = pool.key()
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(send_request, pool, key, endpoint)
        upstream.wait_for(1, end="finished")
        second = clients.submit(send_request, pool, key, endpoint)

        assert [text(each.result(), endpoint) for each in (first, second)] == ["Here it is."] * 2
    assert len(upstream.log()) == 3
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


@pytest.mark.parametrize("last", ["spent", "failing"])
def test_an_earlier_model_is_waited_for_if_the_last_cannot_serve(
    one: PoolOfTest, upstream: ScriptedUpstream, last: str
) -> None:
    """A fallback must not end a request that would be served without it."""
    spent = {**LIMITED, "headers": {"retry-after": "86400"}}
    failing = {"play": "http_error", "status": 404, "body": {"error": {"code": "model_not_found"}}}
    other = one.account("b", upstream.base_url("b"))
    upstream.script(HELD, TEXT)
    upstream.script(spent if last == "spent" else failing, account="b")
    first = one.gateway.services.accounts.find(one.name, "a")
    set_route(one, "fast", target("m", first), target("n", other))
    key = one.key()
    if last == "spent":
        set_route(one, "only-b", target("n", other))
        assert send_request(one, key, model="only-b").status_code == 429
    with ThreadPoolExecutor(2) as clients:
        held = clients.submit(send_request, one, key)
        upstream.wait_for(1, gate="held")
        waiting = clients.submit(send_request, one, key, model="fast")
        deadline = time.monotonic() + 5
        while not one.waiting() and time.monotonic() < deadline:
            time.sleep(0.02)
        upstream.release("held")

        assert [text(each.result()) for each in (held, waiting)] == ["Here it is."] * 2


@pytest.mark.parametrize("stream", [True, False])
def test_a_full_account_is_waited_for(one: PoolOfTest, upstream: ScriptedUpstream, stream: bool) -> None:
    upstream.script(HELD, TEXT)
    key = one.key(limits=(parse_limit("2 parallel_requests"),))
    with ThreadPoolExecutor(3) as clients:
        first = clients.submit(send_request, one, key)
        upstream.wait_for(1, gate="held")
        second = clients.submit(send_request, one, key, stream=stream)
        third = clients.submit(send_request, one, key, stream=stream)
        time.sleep(0.5)
        assert (one.open_leases(), one.open_requests()) == (1, 1), "one that waits holds nothing"
        upstream.release("held")

        assert [each.result().status_code for each in (first, second, third)] == [200, 200, 200]


def test_a_caller_that_waits_hears_signs_of_life(one: PoolOfTest, upstream: ScriptedUpstream) -> None:
    one.set(settings='{"time_limits": {"*": {"keepalive": 0.3}}}')
    upstream.script(HELD, TEXT)
    key = one.key()
    with ThreadPoolExecutor(2) as clients:
        clients.submit(send_request, one, key)
        upstream.wait_for(1, gate="held")
        body = {**BODIES["chat"], "stream": True}
        waiting = one.post(PATHS["chat"], body, key, stream=True)

        assert waiting.status_code == 200
        lines = waiting.iter_lines()
        assert next(lines).startswith(b":")
        upstream.release("held")
        assert b"data: [DONE]" in list(lines)


def test_a_caller_that_leaves_ends_its_wait(one: PoolOfTest, upstream: ScriptedUpstream) -> None:
    upstream.script(HELD, TEXT)
    key = one.key()
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(send_request, one, key)
        upstream.wait_for(1, gate="held")
        with pytest.raises(requests.ReadTimeout):
            one.post(PATHS["chat"], BODIES["chat"], key, timeout=0.5)
        upstream.release("held")

        assert first.result().status_code == 200
        assert text(send_request(one, key)) == "Here it is."
    assert len(upstream.log()) == 2
    assert len(one.wait_for_rows(2)) == 2


def test_what_changed_meanwhile_counts(one: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Limits are checked when it is admitted, not when it began to wait."""
    upstream.script(HELD, TEXT)
    key, limited = one.key(), one.key("limited", limits=(parse_limit("1 requests/day"),))
    with ThreadPoolExecutor(3) as clients:
        clients.submit(send_request, one, key)
        upstream.wait_for(1, gate="held")
        waiting = [clients.submit(send_request, one, limited) for _ in range(2)]
        time.sleep(0.3)
        upstream.release("held")

        assert sorted(each.result().status_code for each in waiting) == [200, 429]


def test_a_long_rest_is_refused_at_once(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({**LIMITED, "headers": {"retry-after": "60"}})
    key = pool.key()
    send_request(pool, key)
    began = time.monotonic()

    assert send_request(pool, key).status_code in (429, 503)
    assert time.monotonic() - began < MAX_WAIT_SECONDS


def test_many_that_wait_are_all_served(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url(), cap=8)
    upstream.script(LIMITED, TEXT)
    key = pool.key()

    with ThreadPoolExecutor(24) as clients:
        responses = list(clients.map(lambda _: send_request(pool, key).status_code, range(24)))

    assert set(responses) == {200}
    assert len(upstream.log()) <= 1.2 * len(responses)
