"""
An account that goes down for a while and comes back, next to a healthy one.

    python -m tests.faults.flapping [--seconds 60]

While it is down everybody is served by the other; hardly any request meets it; and once it is
well again it serves again.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

from tests.faults.client_view import Meaning, send_request, understood
from tests.faults.parts import running_parts
from tests.faults.responses import BODIES, Json, rejected, saying
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

CLIENTS = 4
PAUSE_SECONDS = 0.05
MAX_ATTEMPTS_PER_REQUEST = 1.2
BACK_SECONDS = 30.0
OUTAGES: dict[str, Json] = {
    "503": rejected(503),
    "reset": {"before": [{"reset": True}]},
    "overload in a 200": {"play": "error_in_stream", "error": {"code": "internal_error", "message": "Down."}},
}


@dataclass(frozen=True, slots=True)
class Reported:
    requests: int  # during the outage
    unanswered: int  # number
    attempts_per_request: float
    back_after_seconds: float | None  # None: not within BACK_SECONDS


def flap(pool: PoolOfTest, upstream: ScriptedUpstream, outage: Json, seconds: float) -> Reported:
    """Take one of two accounts down for *seconds* under steady traffic, and bring it back."""
    for name in ("bad", "good"):
        pool.account(name, upstream.base_url(name))
    upstream.script(saying("good"), account="good")
    upstream.script(outage, account="bad")
    key, numbers = pool.key(), count()

    def client(until: float) -> list[Meaning]:
        heard = []
        while time.time() < until:
            heard.append(_one(pool, key, next(numbers)))
            time.sleep(PAUSE_SECONDS)
        return heard

    with ThreadPoolExecutor(CLIENTS) as clients:
        responses = [
            each for heard in clients.map(client, [time.time() + seconds] * CLIENTS) for each in heard
        ]
    attempts = len(upstream.log())
    upstream.script(saying("bad"), account="bad")
    return Reported(
        len(responses),
        sum(not each.finished for each in responses),
        attempts / len(responses),
        _back_after(pool, key, numbers),
    )


def _back_after(pool: PoolOfTest, key: str, numbers: count[int]) -> float | None:
    """Send requests until `bad` answers; return how long that took."""
    began = time.time()
    while (passed := time.time() - began) < BACK_SECONDS:
        if _one(pool, key, next(numbers)).text == saying("bad")["text"]:
            return passed
        time.sleep(PAUSE_SECONDS)
    return None


def _one(pool: PoolOfTest, key: str, number: int) -> Meaning:
    body = {**BODIES["chat"], "stream": True, "prompt_cache_key": f"conversation {number}"}
    return understood("chat", send_request(pool.gateway.url, "chat", body, key, 30))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.flapping")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long an outage lasts")
    seconds = parser.parse_args().seconds
    good = True
    with running_parts() as (gateway, upstream):
        for name, outage in OUTAGES.items():
            pool = gateway.pool()
            reply = flap(pool, upstream.scoped(pool.name), outage, seconds)
            print(f"{name}: {reply}")
            good = good and is_well(reply)
    return int(not good)


def is_well(reply: Reported) -> bool:
    return (
        reply.unanswered == 0
        and reply.attempts_per_request <= MAX_ATTEMPTS_PER_REQUEST
        and reply.back_after_seconds is not None
    )


if __name__ == "__main__":
    sys.exit(main())
