"""What fifty streams of a killed worker held comes back, and what they may have used is in the ledger."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from app.limits.limit_syntax import parse_limit
from app.stores import keys
from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream
from workers import leases

STREAMS = 50
OUTPUT_TOKENS = 100
BACK_SECONDS = 60.0


def test_slots_and_reservations_are_free_again_within_a_minute(
    redis_url: str, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    with running_gateway(redis_url, tmp_path, workers=1) as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url(), cap=STREAMS)
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"stall": True}]}})
        limits = (parse_limit(f"{STREAMS} parallel_requests"), parse_limit("1000000 output_tokens/day"))
        key = pool.key(output_tokens=OUTPUT_TOKENS, limits=limits)
        with ThreadPoolExecutor(STREAMS) as clients:
            streams = [clients.submit(ends_well, pool, key) for _ in range(STREAMS)]
            upstream.wait_for(STREAMS, timeout_seconds=30)
            (worker,) = gateway.children()
            os.kill(worker, signal.SIGKILL)
            killed_at = time.monotonic()
            assert not any(stream.result() for stream in streams)
        assert pool.open_leases() == STREAMS

        upstream.script({"play": "text", "text": "Hello."})
        while not pool.post(PATHS["chat"], BODIES["chat"], key).ok:
            assert time.monotonic() < killed_at + BACK_SECONDS
            time.sleep(0.5)
        while pool.open_leases() or pool.in_flight():
            leases.run(gateway.services, 0)  # as the background worker does
            assert time.monotonic() < killed_at + BACK_SECONDS

        rows = pool.wait_for_rows(STREAMS + 1)
        charged = [row["output_tokens"] for row in rows if row.get("error") == "lease_expired"]
        assert charged == [OUTPUT_TOKENS] * STREAMS
        counted = gateway.services.scripts.client.hget(keys.limit(pool.name, limits[1].id), "s")
        assert int(counted) == sum(row["output_tokens"] for row in rows)


def ends_well(pool: PoolOfTest, key: str) -> bool:
    """Return whether a stream came to an end that looks like one."""
    body = {**BODIES["chat"], "stream": True}
    try:
        return pool.post(PATHS["chat"], body, key).text.endswith("[DONE]\n\n")
    except requests.RequestException:
        return False
