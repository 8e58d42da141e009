"""A key with many requests does not hold up another, over the worker processes of a gateway."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

SLOW = {"play": "text", "text": "Here it is.", "at": {"0": [{"sleep": 0.4}]}}
HOT_CLIENTS = 16
SMALL_REQUESTS = 5
LONGEST_SECONDS = 3.0


def seconds_of(pool: PoolOfTest, key: str) -> tuple[int, float]:
    """Return the status of a request, and the seconds until its response was complete."""
    began = time.monotonic()
    response = pool.post(PATHS["chat"], {**BODIES["chat"], "stream": True}, key)
    return response.status_code, time.monotonic() - began


def test_a_key_with_many_requests_holds_up_no_other(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url(), cap=2)
    upstream.script(SLOW)
    hot, small = pool.key("hot"), pool.key("small")
    with ThreadPoolExecutor(HOT_CLIENTS) as clients:
        sent = [clients.submit(seconds_of, pool, hot) for _ in range(HOT_CLIENTS)]
        upstream.wait_for(3)
        found = [seconds_of(pool, small) for _ in range(SMALL_REQUESTS)]
        of_hot = [each.result() for each in sent]

    assert {status for status, _ in (*found, *of_hot)} == {200}
    slower_half = sorted(seconds for _, seconds in of_hot)[HOT_CLIENTS // 2 :]
    assert max(seconds for _, seconds in found) < min(slower_half)
    assert pool.open_leases() == pool.in_flight() == pool.waiting() == 0
    rows = pool.wait_for_rows(HOT_CLIENTS + SMALL_REQUESTS)
    waited = sorted(row.get("queued_ms", 0) for row in rows)
    assert waited[:2] == [0, 0], "the first two were admitted at once"
    assert all(0 < each < 10_000 for each in waited[-HOT_CLIENTS // 2 :])


def test_a_client_that_leaves_gives_up_its_place(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url(), cap=1)
    upstream.script({**SLOW, "at": {"0": [{"gate": "held"}]}}, SLOW)
    key = pool.key()
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(seconds_of, pool, key)
        upstream.wait_for(1, gate="held")
        with pytest.raises(requests.ReadTimeout):
            pool.post(PATHS["chat"], BODIES["chat"], key, timeout=1)
        left = time.monotonic()
        while pool.waiting() and time.monotonic() - left < LONGEST_SECONDS:
            time.sleep(0.02)
        assert not pool.waiting(), "a place that is not given up is lost after 5 s"
        upstream.release("held")

        assert first.result()[0] == 200
    assert seconds_of(pool, key)[0] == 200


class TestAfterAFailedAttempt:
    """A request waits for an account as others do, and precedes those that came later."""

    @pytest.fixture
    def held(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> Iterator[PoolOfTest]:
        """A pool of an account that fails and one that is at its cap."""
        pool.account("failing", upstream.base_url("failing"))
        full = pool.account("full", upstream.base_url("full"), cap=1)
        upstream.script({"play": "http_error", "status": 500}, account="failing")
        upstream.script({**SLOW, "at": {"0": [{"gate": "held"}]}}, SLOW, account="full")
        with ThreadPoolExecutor(1) as clients:
            first = clients.submit(seconds_of, pool, pool.key("first", accounts=(full.id,)))
            upstream.wait_for(1, gate="held")
            yield pool
            upstream.release("held")
            assert first.result()[0] == 200

    def wait_until(self, condition: Callable[[], bool]) -> None:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < LONGEST_SECONDS
            time.sleep(0.02)

    def test_is_not_overtaken(self, held: PoolOfTest, upstream: ScriptedUpstream) -> None:
        key = held.key()
        with ThreadPoolExecutor(5) as clients:
            failed = clients.submit(seconds_of, held, key)
            self.wait_until(lambda: held.waiting() == 1)
            later = [clients.submit(seconds_of, held, key) for _ in range(4)]
            self.wait_until(lambda: held.waiting() == 5)
            upstream.release("held")
            status, seconds = failed.result()

            assert status == 200
            assert seconds < min(each.result()[1] for each in later)
        assert held.open_leases() == held.in_flight() == held.waiting() == 0

    def test_gives_up_its_place_when_its_client_leaves(self, held: PoolOfTest) -> None:
        with pytest.raises(requests.ReadTimeout):
            held.post(PATHS["chat"], BODIES["chat"], held.key(), timeout=1)

        self.wait_until(lambda: held.waiting() == 0)
        self.wait_until(lambda: held.open_leases() == 1)


class TestHowLong:
    """A request waits as long as its pool, its key and its header allow."""

    @pytest.fixture
    def busy(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> Iterator[PoolOfTest]:
        """A pool whose account is at its cap."""
        pool.account("a", upstream.base_url(), cap=1)
        upstream.script({**SLOW, "at": {"0": [{"gate": "held"}]}}, SLOW)
        with ThreadPoolExecutor(1) as clients:
            first = clients.submit(seconds_of, pool, pool.key("first"))
            upstream.wait_for(1, gate="held")
            yield pool
            upstream.release("held")
            assert first.result()[0] == 200

    def send(self, pool: PoolOfTest, key: str, **headers: str) -> tuple[int, float]:
        began = time.monotonic()
        response = pool.post(PATHS["chat"], BODIES["chat"], key, headers=headers)
        return response.status_code, time.monotonic() - began

    def test_of_the_pool(self, busy: PoolOfTest) -> None:
        busy.set(settings='{"queue_seconds": 0}')
        status, seconds = self.send(busy, busy.key())

        assert (status, seconds < LONGEST_SECONDS) == (429, True)

    def test_of_the_key(self, busy: PoolOfTest) -> None:
        status, seconds = self.send(busy, busy.key(queue_seconds=1))

        assert status == 429
        assert 1 <= seconds < 1 + LONGEST_SECONDS
        metrics = busy.get("/metrics").text
        assert 'poolgate_queue_seconds_count{outcome="refused"}' in metrics
        assert "# TYPE poolgate_requests_waiting gauge" in metrics

    def test_of_the_request(self, busy: PoolOfTest) -> None:
        status, seconds = self.send(busy, busy.key(), **{"x-poolgate-queue-seconds": "0.5"})

        assert status == 429
        assert 0.5 <= seconds < 0.5 + LONGEST_SECONDS

    def test_a_request_does_not_wait_longer_than_its_key_allows(self, busy: PoolOfTest) -> None:
        status, seconds = self.send(busy, busy.key(queue_seconds=0), **{"x-poolgate-queue-seconds": "9"})

        assert (status, seconds < LONGEST_SECONDS) == (429, True)

    def test_a_wrong_header(self, pool: PoolOfTest) -> None:
        response = pool.post(
            PATHS["chat"], BODIES["chat"], pool.key(), headers={"x-poolgate-queue-seconds": "soon"}
        )

        assert response.status_code == 400
        assert response.json()["error"]["param"] == "x-poolgate-queue-seconds"

    def test_the_length(self, busy: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Of one key a second request finds the queue full; another key takes the place."""
        busy.set(settings='{"queue_length": 1}')
        hot = busy.key("hot")
        with ThreadPoolExecutor(1) as clients:
            waits = clients.submit(self.send, busy, hot)
            while not busy.waiting():
                time.sleep(0.02)
            refused = busy.post(PATHS["chat"], BODIES["chat"], hot)
            upstream.release("held")

            assert (refused.status_code, refused.elapsed.total_seconds() < LONGEST_SECONDS) == (429, True)
            assert "as many requests as may wait" in refused.json()["error"]["message"]
            assert waits.result()[0] == 200
