"""Processes that die or are replaced under load: no stream is cut before its time, no row is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.service.test_model_responses import BODIES, PATHS, events_of
from tests.support.gateway import ROOT, Gateway, PoolOfTest, children_of, running_gateway
from tests.support.processes import eventually, is_alive
from tests.support.upstream_client import ScriptedUpstream

STREAM = {**BODIES["chat"], "stream": True}
SLOWLY = {
    "play": "text",
    "text": "one two three",
    "deltas": 3,
    "at": {"1": [{"sleep": 1.5}], "2": [{"sleep": 1.5}]},
}
LEASE_BACK_SECONDS = 60
STREAMS = 20


@pytest.fixture
def env() -> dict[str, str]:
    return {}


@pytest.fixture
def gateway(redis_url: str, tmp_path: Path, env: dict[str, str]) -> Iterator[Gateway]:
    with running_gateway(redis_url, tmp_path, workers=2, **env) as running:
        assert eventually(lambda: len(running.children()) == 2, 60)  # one is enough to be ready
        yield running


@pytest.fixture
def pool(gateway: Gateway, upstream: ScriptedUpstream) -> PoolOfTest:
    pool = gateway.pool()
    pool.account("a", upstream.base_url(), cap=100)
    upstream.script(SLOWLY)
    return pool


def stream(pool: PoolOfTest, key: str) -> str:
    """Return how one stream ended: `whole`, `told`, or `cut`."""
    try:
        response = pool.post(PATHS["chat"], STREAM, key)
    except requests.RequestException:
        return "cut"
    events = events_of(response.text)
    if not events or events[-1] != "[DONE]":
        return "cut"
    return "told" if "error" in events[-2] else "whole"


@pytest.mark.parametrize("twice", [False, True])
def test_every_process_is_stopped_at_once(
    pool: PoolOfTest, gateway: Gateway, upstream: ScriptedUpstream, twice: bool
) -> None:
    """As Heroku does: SIGTERM to the arbiter and to all of its workers, and perhaps again."""
    key = pool.key()
    with ThreadPoolExecutor(STREAMS) as clients:
        running = [clients.submit(stream, pool, key) for _ in range(STREAMS)]
        upstream.wait_for(STREAMS, timeout_seconds=60)
        begun = time.monotonic()
        for _ in range(1 + twice):
            for pid in (gateway.process.pid, *gateway.children()):
                os.kill(pid, signal.SIGTERM)
            time.sleep(0.3)
        outcomes = [each.result() for each in running]
        gateway.process.wait(30)

    assert time.monotonic() - begun < 30
    assert outcomes == ["whole"] * STREAMS
    assert len(pool.wait_for_rows(STREAMS)) == STREAMS
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_new_workers_take_over_while_old_ones_finish(
    pool: PoolOfTest, gateway: Gateway, upstream: ScriptedUpstream
) -> None:
    """SIGHUP replaces every worker."""
    key, before = pool.key(), gateway.children()
    with ThreadPoolExecutor(STREAMS) as clients:
        running = [clients.submit(stream, pool, key) for _ in range(STREAMS // 2)]
        upstream.wait_for(STREAMS // 2, timeout_seconds=60)
        gateway.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: len(set(gateway.children()) - set(before)) == 2)
        running += [clients.submit(stream, pool, key) for _ in range(STREAMS // 2)]
        outcomes = [each.result() for each in running]

    assert outcomes == ["whole"] * STREAMS
    assert len(pool.wait_for_rows(STREAMS)) == STREAMS
    assert eventually(lambda: not set(gateway.children()) & set(before))


# `python -m gunicorn` begins again as a script among its own modules, one of which is called `http`
AS_BY_ITS_SCRIPT = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("env", [AS_BY_ITS_SCRIPT])
def test_another_arbiter_takes_over(pool: PoolOfTest, gateway: Gateway, upstream: ScriptedUpstream) -> None:
    """SIGUSR2 starts it on the same socket, from new code perhaps; then the old one is stopped."""
    key, before = pool.key(), gateway.children()
    with ThreadPoolExecutor(STREAMS) as clients:
        running = [clients.submit(stream, pool, key) for _ in range(STREAMS // 2)]
        upstream.wait_for(STREAMS // 2, timeout_seconds=60)
        gateway.process.send_signal(signal.SIGUSR2)
        assert eventually(lambda: set(gateway.children()) - set(before), 60)
        (successor,) = set(gateway.children()) - set(before)
        try:
            assert eventually(lambda: len(children_of(successor)) == 2, 60)
            gateway.process.terminate()
            running += [clients.submit(stream, pool, key) for _ in range(STREAMS // 2)]
            outcomes = [each.result() for each in running]
            gateway.process.wait(40)
            assert stream(pool, key) == "whole"
        finally:
            os.kill(successor, signal.SIGTERM)
            assert eventually(lambda: not is_alive(successor), 60)

    assert outcomes == ["whole"] * STREAMS
    assert len(pool.wait_for_rows(STREAMS + 1)) == STREAMS + 1
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_what_a_killed_worker_held_comes_back(
    pool: PoolOfTest, gateway: Gateway, upstream: ScriptedUpstream
) -> None:
    upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"stall": True}]}})
    key = pool.key()
    with ThreadPoolExecutor(5) as clients:
        running = [clients.submit(stream, pool, key) for _ in range(5)]
        upstream.wait_for(5, timeout_seconds=60)
        for pid in gateway.children():
            os.kill(pid, signal.SIGKILL)
        assert [each.result() for each in running] == ["cut"] * 5
    assert pool.open_leases() == 5
    upstream.script({"play": "text"})

    def are_back() -> bool:
        time.sleep(0.5)
        return pool.post(PATHS["chat"], BODIES["chat"], key).ok and pool.in_flight() == 0  # it sweeps

    assert eventually(are_back, LEASE_BACK_SECONDS)

    assert sum(row.get("error") == "lease_expired" for row in pool.rows()) == 5
