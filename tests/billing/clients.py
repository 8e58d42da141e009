"""Clients with limits, a third of which disconnect; the model name identifies the client."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from threading import Lock

from tests.billing.upstreams import LENGTH, NOT_REASONING, REASONING, Json
from tests.faults.client_view import send_request
from tests.faults.leaving import request_once
from tests.support.gateway import PoolOfTest

LEAVING = 1 / 3
STAY_SECONDS = 0.5  # at most
STREAMED = 0.7
TIMEOUT_SECONDS = 90
LENGTHS = {"chat": ("max_tokens", "max_completion_tokens"), "responses": ("max_output_tokens",)}
FOREIGN = {"chat": "max_output_tokens", "responses": "max_tokens"}  # limits nothing on that surface


def model_of(number: int, family: str) -> str:
    """Return a name of its own for each request: a dated one, which has the price of its *family*."""
    return f"{family}-{number // 10_000:04}-{number // 100 % 100:02}-{number % 100:02}"


def number_of(model: str) -> int:
    return int(model[-10:].replace("-", ""))


class Clients:
    def __init__(self, pool: PoolOfTest, secrets: list[str], first: int = 1) -> None:
        """*first* is the number of the first request; no two of a pool may have the same."""
        self._pool = pool
        self._secrets = secrets
        self._numbers = count(first)
        self._lock = Lock()
        self.statuses: dict[int, int] = {}  # of those who stayed, by number

    def load(self, clients: int, seconds: float, seed: int) -> None:
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(clients) as threads:
            staying = [threads.submit(self._stay, f"{seed} {number}", until) for number in range(clients)]
        for each in staying:
            each.result()

    def _stay(self, seed: str, until: float) -> None:
        chance = random.Random(seed)
        while time.monotonic() < until:
            self.one(chance, chance.choice(self._secrets))
            time.sleep(chance.random() * 0.1)

    def one(self, chance: random.Random, secret: str, family: str = "") -> None:
        with self._lock:
            number = next(self._numbers)
        endpoint = chance.choice(tuple(LENGTHS))
        body = body_of(
            endpoint, number, chance, family or chance.choice((REASONING, REASONING, NOT_REASONING))
        )
        if chance.random() < LEAVING:
            stay_seconds = chance.random() * STAY_SECONDS
            with suppress(OSError):  # its worker was stopped
                request_once(self._pool, secret, endpoint, body, stay_seconds, politely=chance.random() < 0.5)
        else:
            heard = send_request(self._pool.gateway.url, endpoint, body, secret, TIMEOUT_SECONDS)
            with self._lock:
                self.statuses[number] = heard.status


def body_of(endpoint: str, number: int, chance: random.Random, family: str) -> Json:
    text = f"request {number}"
    sent_text: dict[str, Json] = {
        "chat": {"messages": [{"role": "user", "content": text}]},
        "responses": {"input": text},
    }
    body = {
        **sent_text[endpoint],
        chance.choice(LENGTHS[endpoint]): LENGTH,
        "model": model_of(number, family),
    }
    if chance.random() < 0.2:
        body[FOREIGN[endpoint]] = 1
    return {**body, "stream": chance.random() < STREAMED}
