"""Many streams at once, accounts failing at random: complete or honest, and nothing left behind."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from tests.service.test_model_responses import BODIES, PATHS, events_of, streamed_text
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

TEXT = "The quick brown fox jumps over the lazy dog."
STREAMS = 50
ACCOUNTS = 4


def outcome(pool: PoolOfTest, key: str, endpoint: str, number: int) -> str:
    """Return the outcome of one client: "complete", "error" for a correct failure, or "wrong"."""
    body = {**BODIES[endpoint], "stream": True, "prompt_cache_key": f"conversation-{number}"}
    response = pool.post(PATHS[endpoint], body, key)
    if response.status_code != 200:
        return "error" if "error" in response.json() else "wrong"
    events = events_of(response.text)
    text = streamed_text(endpoint, [event for event in events if "error" not in event])
    if endpoint == "chat":
        failed = any(event != "[DONE]" and "error" in event for event in events)
        finished = any(
            event["choices"][0]["finish_reason"]
            for event in events
            if event != "[DONE]" and event.get("choices")
        )
    else:
        failed = events[-1]["type"] == "response.failed"
        finished = events[-1]["type"] == "response.completed"
    if finished and not failed:
        return "complete" if text == TEXT else "wrong"
    return "error" if failed and not finished and TEXT.startswith(text) else "wrong"


def test_fifty_streams_over_failing_accounts(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    chance = random.Random(7)
    for number in range(ACCOUNTS):
        name = f"a{number}"
        pool.account(name, upstream.base_url(name), cap=30, protocols=("chat", "responses"))
        plays = [
            chance.choice(
                [
                    {"play": "text", "text": TEXT, "deltas": 9},
                    {"play": "text", "text": TEXT, "deltas": 9},
                    {"play": "text", "text": TEXT, "deltas": 9, "at": {"5": [{"reset": True}]}},
                    {"play": "http_error", "status": 503},
                    {"before": [{"reset": True}]},
                ]
            )
            for _ in range(20)
        ]
        upstream.script(*plays, account=name, repeat="cycle")
    key = pool.key()

    with ThreadPoolExecutor(STREAMS) as clients:
        outcomes = list(
            clients.map(
                lambda number: outcome(pool, key, ("chat", "responses")[number % 2], number), range(STREAMS)
            )
        )

    assert "wrong" not in outcomes
    assert outcomes.count("complete") >= STREAMS // 3
    rows = pool.wait_for_rows(STREAMS)
    assert len({row["id"] for row in rows}) == STREAMS
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)
