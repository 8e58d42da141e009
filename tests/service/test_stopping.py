"""A worker that is stopped finishes what it can, ends the rest with an error, and settles everything."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.service.test_model_responses import BODIES, PATHS, events_of
from tests.support.gateway import running_gateway
from tests.support.upstream_client import ScriptedUpstream

WITH_A_GATE = {"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}}


def test_a_short_stream_is_finished(redis_url: str, tmp_path: Path, upstream: ScriptedUpstream) -> None:
    with running_gateway(redis_url, tmp_path, workers=1) as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        upstream.script(WITH_A_GATE)
        body = {**BODIES["chat"], "stream": True}
        with pool.post(PATHS["chat"], body, pool.key(), stream=True) as response:
            upstream.wait_for(gate="go")
            gateway.process.send_signal(signal.SIGTERM)
            upstream.release("go")
            assert response.text.endswith("data: [DONE]\n\n")
        gateway.process.wait(20)
        (row,) = pool.rows()

    assert (row["status"], row["source"]) == (200, "upstream")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_long_stream_is_ended_honestly_and_settled(
    redis_url: str, tmp_path: Path, upstream: ScriptedUpstream, stop: signal.Signals
) -> None:
    with running_gateway(redis_url, tmp_path, workers=1, GRACEFUL_TIMEOUT="5") as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        upstream.script(WITH_A_GATE)
        body = {**BODIES["chat"], "stream": True}
        with pool.post(PATHS["chat"], body, pool.key(), stream=True) as response:
            upstream.wait_for(gate="go")
            gateway.process.send_signal(stop)
            events = events_of(response.text)
        gateway.process.wait(20)
        (row,) = pool.rows()

    assert events[-2]["error"]["code"] == "worker_stopping"
    assert events[-1] == "[DONE]"
    assert (row["error"], row["source"]) == ("worker_stopping", "estimated")
    assert pool.open_leases() == 0
    upstream.wait_for(1, end="client_closed")
