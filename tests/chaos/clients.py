"""Clients that send requests without end, by several keys and in either protocol; some disconnect early."""

from __future__ import annotations

import random
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import Any

from tests.chaos.history import Recorder
from tests.faults.client_view import Meaning, send_request, understood
from tests.faults.leaving import request_once
from tests.faults.responses import BODIES, TEXTS, Json, rejected, saying
from tests.support.gateway import PoolOfTest

TEXT = TEXTS["bad"]
STREAM_SECONDS = 1.5
LEAVING = 1 / 3
STREAMED = 0.8
PAUSE_SECONDS = 0.3  # between two requests of one client: refusals come at once
MODELS = 20  # rows and what upstreams saw are compared by model where no client heard an id
TIMEOUT_SECONDS = 90
SLOWLY = saying("bad", at={str(place): [{"sleep": STREAM_SECONDS / 6}] for place in range(6)})
FAULTS: tuple[Json, ...] = (
    rejected(503),
    rejected(429, "rate_limit_exceeded", headers={"retry-after": "1"}),
    {"before": [{"reset": True}]},
    saying("bad", at={"2": [{"sleep": 0.5}, {"reset": True}]}),
    saying("bad", at={"4": [{"sleep": 0.5}, {"close": True}]}),
)
PLAYS = tuple(play for fault in FAULTS for play in (*[SLOWLY] * 9, fault))


class Clients:
    def __init__(self, pool: PoolOfTest, keys: dict[str, str], history: Recorder, seed: int) -> None:
        """*keys* are secrets by their ids."""
        self._pool = pool
        self._keys = keys
        self._history = history
        self._seed = seed
        self._numbers = count()

    def start(self, threads: ThreadPoolExecutor, clients: int, until: float) -> list[Future[None]]:
        return [threads.submit(self._stay, number, until) for number in range(clients)]

    def _stay(self, client: int, until: float) -> None:
        chance = random.Random(f"{self._seed} {client}")
        while time.monotonic() < until:
            self.one(chance)
            time.sleep(chance.random() * PAUSE_SECONDS)

    def one(self, chance: random.Random) -> None:
        number, endpoint = next(self._numbers), chance.choice(("chat", "responses"))
        body = {**requesting(endpoint, number), "stream": chance.random() < STREAMED}
        body["prompt_cache_key"] = f"conversation {chance.randrange(200)}"
        key = chance.choice(list(self._keys))
        self._history.note(
            "sent", number=number, key=key, model=body["model"], endpoint=endpoint, stream=body["stream"]
        )
        if chance.random() < LEAVING:
            stay_seconds, politely = chance.random() * STREAM_SECONDS, chance.random() < 0.5
            with suppress(OSError):  # its worker was killed
                request_once(self._pool, self._keys[key], endpoint, body, stay_seconds, politely=politely)
            self._history.note("left", number=number)
        else:
            self._history.note("heard", number=number, **self._hear(endpoint, body, self._keys[key]))

    def _hear(self, endpoint: str, body: Json, secret: str) -> dict[str, Any]:
        heard = send_request(self._pool.gateway.url, endpoint, body, secret, TIMEOUT_SECONDS)
        try:
            meaning = understood(endpoint, heard)
        except Exception as error:  # the checker is strict, and reports every difference
            meaning = Meaning(faults=[f"not as the wire has it: {error!r}"])
        return {
            "id": heard.headers.get("x-poolgate-request-id"),
            "status": heard.status,
            "finished": meaning.finished,
            "error": meaning.error,
            "text": meaning.text,
            "whole": heard.is_complete,
            "faults": meaning.faults,
        }


def requesting(endpoint: str, number: int) -> Json:
    """A body with its number, which identifies it in the upstream's log."""
    text, most = f"request {number};", {"chat": "max_tokens", "responses": "max_output_tokens"}
    sent_text = {"chat": {"messages": [{"role": "user", "content": text}]}, "responses": {"input": text}}
    return {**BODIES[endpoint], **sent_text[endpoint], most[endpoint]: 60, "model": f"m{number % MODELS}"}
