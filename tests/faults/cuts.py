"""
A recorded stream cut at every event boundary, and at random bytes in between.

Wherever it is cut, the client gets the truth: a prefix of the response and a failure, or a
whole response. Each cut has a model name of its own, so the upstream knows which to play and
the ledger has the outcome.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import NamedTuple

from tests.faults.client_view import Heard, Meaning, send_request, understood
from tests.faults.responses import (
    BODIES,
    SSE,
    TEXTS,
    Frames,
    Json,
    frames_of,
    saying,
    send,
    streamed,
    with_thoughts,
)
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

RANDOM_CUTS = 50
AT_ONCE = 4  # a worker repeats three requests at once, whatever else it has open
ENDS: tuple[Json, ...] = ({"close": True}, {"end": True}, {"reset": True})
UNSTREAMED_EVERY = 5  # one of so many clients requests a response without streaming
SECONDS = 30.0
ARGUMENTS = '{"city": "Zürich", "unit": "celsius"}'

KINDS: dict[str, Json] = {
    "text": saying("bad"),
    "tool call": {"play": "tool_call", "arguments": ARGUMENTS, "deltas": 5},
    "reasoning": {"play": "reasoning", "summary": "Let me see: ü.", "text": TEXTS["bad"], "deltas": 4},
}
FINISHING = (b'"finish_reason":"', b'"type":"response.completed"')


class Cut(NamedTuple):
    number: int
    data: bytes  # all of the stream that is sent
    end: Json

    @property
    def model(self) -> str:
        return f"cut-{self.number}"

    @property
    def stream(self) -> bool:
        return self.number % UNSTREAMED_EVERY != 0


def recorded(wire: str, kind: str) -> Frames:
    frames = frames_of(wire, KINDS[kind])
    return with_thoughts(frames, KINDS[kind]["summary"]) if (wire, kind) == ("chat", "reasoning") else frames


def cuts_of(frames: Frames, chance: random.Random) -> Iterator[Cut]:
    """Yield every cut: the kinds of end take turns."""
    stream = "".join(frames).encode()
    boundaries = [0, *accumulate(len(frame.encode()) for frame in frames)]
    places = sorted([*boundaries, *(chance.randrange(1, len(stream)) for _ in range(RANDOM_CUTS))])
    for number, place in enumerate(places):
        yield Cut(number, stream[:place], ENDS[number % len(ENDS)])


def wrongs(pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, wire: str, kind: str) -> list[str]:
    """Cut the stream of *kind* everywhere, and return what was not as it must be."""
    pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))
    frames = recorded(wire, kind)
    cuts = list(cuts_of(frames, random.Random(f"{endpoint}, {wire}, {kind}")))
    key = pool.key()
    intact = Cut(-1, "".join(frames).encode(), {"end": True})
    full = _requested(pool, upstream, endpoint, key, intact)
    with ThreadPoolExecutor(AT_ONCE) as clients:
        heard = list(clients.map(lambda cut: _requested(pool, upstream, endpoint, key, cut), cuts))
    rows = {row["model"]: row for row in pool.wait_for_rows(len(cuts) + 1)}
    found = [] if full.finished else ["the stream that was not cut did not finish"]
    for cut, meaning in zip(cuts, heard, strict=True):
        sent = understood(wire, Heard(200, SSE, cut.data, True))
        wrong = [*_dishonest(cut, meaning, full, sent), *_misbooked(meaning, rows[cut.model])]
        place = f"{endpoint} cut at {len(cut.data)} by {cut.end}: "
        found += [place + each for each in wrong]
    return [*found, *_left(pool, len(cuts) + 1)]


def _requested(pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, key: str, cut: Cut) -> Meaning:
    upstream.script(streamed(send(cut.data), cut.end), saying("good"), account="a", model=cut.model)
    body = {**BODIES[endpoint], "model": cut.model, "stream": cut.stream}
    return understood(endpoint, send_request(pool.gateway.url, endpoint, body, key, SECONDS))


def _dishonest(cut: Cut, meaning: Meaning, full: Meaning, sent: Meaning) -> Iterator[str]:
    yield from meaning.faults
    if meaning.finished and meaning.output == (TEXTS["good"], "", ""):
        return  # nothing of the first had been seen
    if meaning.finished and (
        meaning.output != full.output or not any(sign in cut.data for sign in FINISHING)
    ):
        yield f"a false finish after {meaning.output}"
    for reply, complete_text in zip(meaning.output, full.output, strict=True):
        if not complete_text.startswith(reply):
            yield f"{reply!r} is no beginning of {complete_text!r}"
    lost = len(sent.text + sent.calls) > len(meaning.text + meaning.calls)
    if lost and cut.stream and meaning.text + meaning.calls and "reset" not in cut.end:
        yield f"{meaning.output} where the upstream sent {sent.output}"  # a reset may overtake sent bytes


def _misbooked(meaning: Meaning, row: Json) -> Iterator[str]:
    if (row["status"] == 200) != meaning.finished or row.get("error") != meaning.error:
        yield f"the ledger has {row['status']} {row.get('error')}, the client got {meaning.error}"
    if any(meaning.output) and not row["output_tokens"]:
        yield "output that the ledger does not count"
    if meaning.error and row["source"] != "estimated" and any(meaning.output):
        yield f"usage of a cut answer is {row['source']}"


def _left(pool: PoolOfTest, requests: int) -> Iterator[str]:
    until = time.monotonic() + 3
    while (left := (pool.open_leases(), pool.in_flight(), pool.open_requests())) != (0, 0, 0):
        if time.monotonic() > until:
            yield f"leases, slots and requests left: {left}"
            break
        time.sleep(0.02)
    if len(pool.rows()) != requests:
        yield f"{len(pool.rows())} ledger rows for {requests} requests"
