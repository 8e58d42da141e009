"""Accounts that fail in different ways at once: every client hears the truth, and nothing is left behind."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.ledger.verify import Verification
from app.limits.limit_syntax import parse_limit
from app.stores.ledger import LedgerRepository
from tests.faults.client_view import send_request, understood
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Play = dict[str, Any]

TEXT = "A good answer."
GOOD: Play = {"play": "text", "text": TEXT}
SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}
LIMITS = '{"time_limits":{"*":{"first_progress":1,"headers":1,"connect":1,"idle":1,"total":8}}}'
LONGEST_SECONDS = 12.0  # the total, and the time that a busy machine takes
WAITS = ("1000000000", "-5", "Sun, 09 Sep 2001 01:46:40 GMT", "soon", "NaN", "inf", "9" * 300, "")
COUNTS = ("-5", '"12"', "1e30", "NaN", str(10**31), "null", "[]", "{}", "true")
REQUESTS = 10


def complete(text: str, status: int = 200) -> Play:
    return {"status": status, "headers": JSON, "framing": "length", "steps": [{"send": text}]}


def counted(count: str) -> Play:
    """Return a play whose usage is *count*, as text: the writer of JSON refuses such numbers."""
    usage = f'{{"prompt_tokens":{count},"completion_tokens":{count},"total_tokens":{count}}}'
    deltas = [({"content": TEXT}, "null"), ({}, '"stop"')]
    chunks = [
        f'{{"id":"c{n}","choices":[{{"index":0,"delta":{json.dumps(delta)},"finish_reason":{reason}}}]}}'
        for n, (delta, reason) in enumerate(deltas)
    ]
    events = "".join(
        f"data: {event}\n\n" for event in (*chunks, f'{{"choices":[],"usage":{usage}}}', "[DONE]")
    )
    message = f'{{"role":"assistant","content":"{TEXT}"}}'
    choice = f'{{"index":0,"message":{message},"finish_reason":"stop"}}'
    answer = complete(f'{{"id":"c","object":"chat.completion","choices":[{choice}],"usage":{usage}}}')
    streamed = {"headers": SSE, "steps": [{"send": events}]}
    return {"play": "fitting", "plays": {"chat": {"streamed": streamed, "whole": answer}}}


def refusal(status: int, wait: str) -> Play:
    return {"play": "http_error", "status": status, "headers": {"retry-after": wait}, "body": {"error": {}}}


def broken(*steps: Play) -> Play:
    return {"status": None, "headers": {}, "before": list(steps), "steps": []}


PLAYS: tuple[Play, ...] = (
    *map(counted, COUNTS),
    *(refusal(status, wait) for status in (429, 503) for wait in WAITS),
    *(complete(body) for body in ('{"error":{"message":"x"}}', '{"error":"x"}', "", "null", "<html>")),
    *({"headers": SSE, "steps": steps} for steps in ([], [{"send": "data: [DONE]\n\n"}], [{"stall": True}])),
    *({**GOOD, "at": {"1": [{end: True}]}} for end in ("close", "reset", "end", "stall")),
    *(broken({end: True}) for end in ("close", "reset", "stall")),
    broken({"raw": "HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}", "by": 1}, {"close": True}),
    *(complete(f'{{"error":{{"message":"{"x" * 5_000_000}"}}}}', status) for status in (400, 500)),
    *(complete("", status) for status in (204, 401, 402, 404, 999)),
    *({"status": 302, "headers": {"location": to}, "steps": []} for to in ("/v1/chat/completions", "//")),
    {"play": "error_in_stream", "text": TEXT, "after": 1},
)


def assign(pool: PoolOfTest, upstream: ScriptedUpstream, chance: random.Random) -> list[str]:
    """Add two or three accounts, some of which alternate between failure and success."""
    names = list("abc"[: chance.choice((2, 3))])
    for group, name in enumerate(names):
        plays = chance.choices(PLAYS, k=chance.choice((1, 2, 4)))
        if chance.random() < 0.5:
            plays = [play for each in plays for play in (each, GOOD)]
        upstream.script(*plays * 3, account=name)
        cap = chance.choice((1, 100))
        pool.account(name, upstream.base_url(name), group=group, protocols=("chat",), cap=cap)
    return names


@pytest.mark.parametrize("seed", range(5))
def test_every_client_hears_the_truth(pool: PoolOfTest, upstream: ScriptedUpstream, seed: int) -> None:
    chance = random.Random(seed)
    pool.set(settings=LIMITS, policy=chance.choice(("balanced", "ordered", "least_loaded")))
    names = assign(pool, upstream, chance)
    key = pool.key(limits=[parse_limit("1000000 total_tokens/day"), parse_limit("9 parallel_requests")])
    bodies = {
        "chat": {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 50},
        "responses": {"model": "m", "input": "Hello", "max_output_tokens": 50},
    }

    def send(number: int) -> list[str]:
        endpoint = ("chat", "responses")[number % 2]
        body = bodies[endpoint] | {"stream": number % 4 < 2, "fallbacks": ["n"] * (number % 3 == 0)}
        heard = send_request(pool.gateway.url, endpoint, body, key, 30)
        meaning = understood(endpoint, heard)
        faults = meaning.faults + ["slow"] * (heard.seconds > LONGEST_SECONDS)
        faults += [meaning.text] * (meaning.finished and meaning.text != TEXT)
        return faults + [str(heard.status)] * (heard.status != 200 and not 400 <= heard.status < 600)

    with ThreadPoolExecutor(4) as clients:
        assert [fault for faults in clients.map(send, range(REQUESTS)) for fault in faults] == []
    deadline = time.monotonic() + LONGEST_SECONDS
    while pool.open_requests() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (pool.open_requests(), pool.open_leases(), pool.in_flight(), pool.waiting()) == (0, 0, 0, 0)
    assert Verification(LedgerRepository(pool.gateway.services.scripts), pool.name).differences() == []
    assert all(0 <= row.get("output_tokens", 0) <= 10**12 for row in pool.rows())
    assert sorted(pool.states()) == names
