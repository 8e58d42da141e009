"""Spans, as a collector gets them that is a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.service.test_failover import try_bad_first
from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import ROOT, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRET_WORDS = "a-word-from-a-prompt"
SERVER, CLIENT = 2, 3

Span = dict[str, Any]


class Collector:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def spans(self) -> list[Span]:
        found: list[Span] = requests.get(self.url + "/spans", timeout=30).json()
        return found

    def of(self, pool: PoolOfTest, trace_id: str, count: int) -> list[Span]:
        """The spans of a trace, its request first, once there are *count*."""

        def found() -> list[Span]:
            return [span for span in self.spans() if span["trace_id"] == trace_id]

        assert eventually(lambda: len(found()) >= count, 30), self.spans()
        return sorted(found(), key=lambda span: (span["kind"] != SERVER, span["failed"] is False))


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    command = [sys.executable, "-m", "tests.support.otlp_collector"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield Collector(int(process.stdout.readline()))
        process.terminate()


@pytest.fixture(scope="module")
def pool(
    redis_url: str, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PoolOfTest]:
    home = tmp_path_factory.mktemp("home")
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with running_gateway(redis_url, home, workers=2, **env) as gateway:
        yield gateway.pool()


def test_a_request_and_its_attempts_are_one_trace(
    pool: PoolOfTest, upstream: ScriptedUpstream, collector: Collector
) -> None:
    bad, good = (pool.account(name, upstream.base_url(name)) for name in ("bad", "good"))
    upstream.script({"play": "http_error", "status": 503}, account="bad")
    try_bad_first(pool)
    key = pool.key()
    body = {**BODIES["chat"], "messages": [{"role": "user", "content": SECRET_WORDS}]}

    given = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "theirs=1"}
    response = pool.post(PATHS["chat"], body, key, headers=given)

    assert response.status_code == 200
    seen = upstream.log()
    request, *attempts = collector.of(pool, TRACE, 1 + len(seen))
    assert (request["name"], request["kind"], request["parent_id"]) == (
        f"POST {PATHS['chat']}",
        SERVER,
        PARENT,
    )
    assert request["service"] == "poolgate"
    reply = request["attributes"]
    assert (reply["http.response.status_code"], reply["poolgate.account"]) == (200, good.id)
    assert reply["poolgate.id"] == response.headers["x-poolgate-request-id"]
    assert {span["parent_id"] for span in attempts} == {request["span_id"]}
    assert {span["kind"] for span in attempts} == {CLIENT}
    by_account = {span["attributes"]["poolgate.account"]: span for span in attempts}
    assert (by_account[bad.id]["failed"], by_account[good.id]["failed"]) == (True, False)
    passed_on = {each.headers["traceparent"] for each in seen}
    assert passed_on == {f"00-{TRACE}-{span['span_id']}-01" for span in attempts}
    assert {each.headers["tracestate"] for each in seen} == {"theirs=1"}
    text = json.dumps(collector.spans())
    for word in (SECRET_WORDS, key, "sk-bad", "sk-good"):
        assert word not in text


def test_a_refusal_is_a_span_and_a_broken_traceparent_begins_another_trace(
    pool: PoolOfTest, collector: Collector
) -> None:
    refused = pool.post(
        PATHS["chat"], {}, None, headers={"traceparent": "00-nonsense", "x-request-id": "mine"}
    )

    assert refused.status_code == 401

    def own_pool() -> list[Span]:
        return [each for each in collector.spans() if each["attributes"].get("poolgate.request_id") == "mine"]

    assert eventually(own_pool, 30)
    (span,) = own_pool()
    assert (span["parent_id"], span["attributes"]["http.response.status_code"]) == ("", 401)


def test_the_last_spans_are_sent_before_a_worker_ends(
    redis_url: str, tmp_path: Path, collector: Collector, upstream: ScriptedUpstream
) -> None:
    """A collector that is not there delays no request."""
    trace_id = TRACE[::-1]
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    with running_gateway(redis_url, tmp_path, workers=1, **env) as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        given = {"traceparent": f"00-{trace_id}-{PARENT}-01"}
        assert pool.post(PATHS["chat"], BODIES["chat"], pool.key(), headers=given).ok
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait(40)

    assert len(collector.of(pool, trace_id, 2)) == 2


def test_without_the_endpoint_nothing_is_passed_on(
    redis_url: str, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with running_gateway(redis_url, tmp_path, workers=1) as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        given = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        assert pool.post(PATHS["chat"], BODIES["chat"], pool.key(), headers=given).ok

    (seen,) = upstream.log()
    assert "traceparent" not in seen.headers
