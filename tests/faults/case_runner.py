"""
One case in one setting: arranged, run, and judged from outside.

A verdict is `pass`; `partial` when the client got what it was owed but something else
was wrong; `safe` when it got a correct failure where a response was owed; and `fail` for
what must never be: a false finish, doubled or missing text, a hang, a leak.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import pairwise, product
from threading import BoundedSemaphore
from typing import Any, NamedTuple

import orjson

from app.config import TimeLimits
from tests.faults.cases import Case, Expect
from tests.faults.client_view import Heard, Meaning, send_request, understood
from tests.faults.responses import BODIES, TEXTS, Json, Play, saying
from tests.support.gateway import Gateway, PoolOfTest
from tests.support.ports import free_port
from tests.support.upstream_client import ScriptedUpstream, Seen

CI_SCALE = 0.1  # of the time limits, so that no test waits half a minute for silence
VERDICTS = ("pass", "partial", "safe", "fail")
FEW = 3  # requests of a process that may be repeated at once, whatever else it has open
MAX_TRIES = 6  # of all accounts together
MAX_TRIES_AT_FIRST, FIRST_SECONDS = 4, 3.0  # of one account
SETTLED_SECONDS = 3.0
TOTAL_SECONDS = 200.0  # of one request, before scaling: longer than any wait that is looked at


class Setting(NamedTuple):
    endpoint: str
    stream: bool
    native: bool

    @property
    def wire(self) -> str:
        return self.endpoint if self.native else {"chat": "responses", "responses": "chat"}[self.endpoint]

    def __str__(self) -> str:
        return "-".join(
            (self.endpoint, "streamed" if self.stream else "whole", "native" if self.native else "translated")
        )


SETTINGS = tuple(Setting(*choice) for choice in product(("chat", "responses"), (True, False), (True, False)))


@dataclass(slots=True)
class Score:
    """`remarks` are the reasons why it did not pass."""

    verdict: str = "pass"
    remarks: list[str] = field(default_factory=list)

    def less(self, verdict: str, remark: str) -> None:
        self.verdict = max(self.verdict, verdict, key=VERDICTS.index)
        self.remarks.append(remark)


@dataclass(slots=True)
class Evidence:
    heard: list[Heard]
    meanings: list[Meaning]
    log: list[Seen]
    rows: list[Json]
    states: dict[str, str]
    left_over: dict[str, int]

    @property
    def bad(self) -> list[Seen]:
        return [seen for seen in self.log if seen.account == "bad"]


def timeout(scale: float) -> str:
    """
    Return the settings of a pool that waits *scale* of what others do for everything but connections.

    Its upstreams stream: the faults are those of streams, whether or not the caller receives one.
    """
    limits = asdict(TimeLimits())
    del limits["connect"]
    limits["total"] = TOTAL_SECONDS
    scaled = {name: value * scale for name, value in limits.items()}
    return orjson.dumps({"time_limits": {"*": scaled}, "stream_upstream": "always"}).decode()


def settings_of(case: Case) -> list[Setting]:
    return [setting for setting in SETTINGS if case.wire in (None, setting.wire)]


class Wall:
    """Runs cases against one gateway, each in a pool whose time limits are *scale* of the real ones."""

    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream, scale: float) -> None:
        self._gateway = gateway
        self._upstream = upstream
        self._scale = scale
        self._few = BoundedSemaphore(FEW)

    def score(self, case: Case, setting: Setting) -> Score:
        pool = self._gateway.pool()
        upstream = self._upstream.scoped(pool.name)
        try:
            self._arrange(case, setting, pool, upstream)
            with self._few if case.few else nullcontext():
                evidence = self._send_request(case, setting, pool, upstream)
        finally:
            upstream.reset()
        return judged(case, setting, evidence, self._scale)

    def _arrange(self, case: Case, setting: Setting, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.set(policy="ordered", settings=timeout(self._scale))
        served = {"kind": "compatible", "protocols": (setting.wire,)}
        nowhere = f"http://127.0.0.1:{free_port()}/v1"
        pool.account("bad", nowhere if case.unreachable else upstream.base_url("bad"), **served)
        scripted = [scaled(play, setting.wire, self._scale) for play in case.bad]
        upstream.script(*scripted, account="bad")
        if case.good:
            pool.account("good", upstream.base_url("good"), group=1, **served)
            upstream.script(saying("good"), account="good")

    def _send_request(
        self, case: Case, setting: Setting, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> Evidence:
        expect = case.expected(setting.stream)
        timeout_seconds = 2 * (expect.seconds + expect.limits * self._scale) + 10
        body = {**BODIES[setting.endpoint], **case.body.get(setting.endpoint, {}), "stream": setting.stream}
        key = pool.key()
        heard = [
            send_request(self._gateway.url, setting.endpoint, body, key, timeout_seconds)
            for _ in range(case.requests)
        ]
        return Evidence(
            heard,
            [understood(setting.endpoint, each) for each in heard],
            *_afterwards(pool, upstream, case.requests),
        )


def scaled(play: Play, wire: str, scale: float) -> Json:
    """Return *play* for *wire*, its sleeps shortened like the gateway's timeouts."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(each) for each in value]
        if isinstance(value, dict):
            return {key: each * scale if key == "sleep" else walk(each) for key, each in value.items()}
        return value

    return walk(play(wire) if callable(play) else play)


def _afterwards(
    pool: PoolOfTest, upstream: ScriptedUpstream, requests: int
) -> tuple[list[Seen], list[Json], dict[str, str], dict[str, int]]:
    """Wait until everything is settled, and return what is to be seen from outside."""
    until = time.monotonic() + SETTLED_SECONDS
    while True:
        log, rows = upstream.log(), pool.rows()
        left = {
            "leases": pool.open_leases(),
            "slots": pool.in_flight(),
            "requests": pool.open_requests(),
            "upstream calls": sum(seen.end is None for seen in log),
        }
        left = {what: number for what, number in left.items() if number}
        if (len(rows) >= requests and not left) or time.monotonic() > until:
            return log, rows, pool.states(), left
        time.sleep(0.05)


def judged(case: Case, setting: Setting, evidence: Evidence, scale: float) -> Score:
    score = Score()
    expect = case.expected(setting.stream)
    for heard, meaning in zip(evidence.heard, evidence.meanings, strict=True):
        _judge_honesty(score, meaning)
        _judge_response(score, expect, heard, meaning, scale)
    _judge_ledger(score, expect, evidence, case.requests)
    _judge_upstream(score, expect, evidence)
    return score


def _judge_honesty(score: Score, meaning: Meaning) -> None:
    for fault in meaning.faults:
        score.less("fail", fault)
    reply = meaning.text + meaning.calls
    if not any(text.startswith(reply) for text in TEXTS.values()):
        score.less("fail", f"text that no upstream sent: {reply!r}")
    if meaning.finished and reply not in TEXTS.values():
        score.less("fail", f"a false finish after {reply!r}")


def _judge_response(score: Score, expect: Expect, heard: Heard, meaning: Meaning, scale: float) -> None:
    if expect.by is None:
        if meaning.error is None:
            score.less("partial", "answered where a failure was expected")
        elif expect.code not in (None, meaning.error):
            score.less("partial", f"got {meaning.error}, not {expect.code}")
        if expect.status not in (None, heard.status) and heard.status != 200:
            score.less("partial", f"status {heard.status}, not {expect.status}")
    elif meaning.error is not None:
        score.less("safe", f"no answer but {heard.status} {meaning.error}")
    elif meaning.text != TEXTS[expect.by]:
        score.less("partial", f"answered by another than {expect.by}")
    most = expect.seconds + expect.limits * scale
    if heard.seconds > most:
        score.less("partial", f"took {heard.seconds:.1f} s, not {most:.1f}")


def _judge_ledger(score: Score, expect: Expect, evidence: Evidence, requests: int) -> None:
    for what, number in evidence.left_over.items():
        score.less("fail", f"{number} {what} left")
    if len(evidence.rows) != requests:
        score.less("fail", f"{len(evidence.rows)} ledger rows")
        return
    attempts = 0
    for row, heard, meaning in zip(evidence.rows, evidence.heard, evidence.meanings, strict=True):
        attempts += len(row["attempts"])
        if heard.status != 200 and row["status"] != heard.status:
            score.less("fail", f"the ledger has {row['status']}, the client got {heard.status}")
        if row.get("error") != meaning.error and (row["status"] == 200) != meaning.finished:
            score.less("fail", f"the ledger has {row.get('error')}, the client got {meaning.error}")
        source = _source(expect, row)
        if source not in (None, row["source"]):
            score.less("partial", f"usage is {row['source']}, not {source}")
        if meaning.output != ("", "", "") and not row["output_tokens"]:
            score.less("fail", "output that no ledger row counts")
    if attempts < len(evidence.log):
        score.less("fail", f"{len(evidence.log)} attempts, {attempts} in the ledger")


def _source(expect: Expect, row: Json) -> str | None:
    """An attempt that may be billed and reported nothing makes the whole row an estimate."""
    unreported = any("counted_by" in attempt for attempt in row["attempts"])
    return "estimated" if unreported and expect.source == "upstream" else expect.source


def _judge_upstream(score: Score, expect: Expect, evidence: Evidence) -> None:
    bad, (least, most) = evidence.bad, expect.requested
    if not least <= len(bad) <= most:
        score.less("partial", f"tried {len(bad)} times, not {least} to {most}")
    if len(evidence.log) > MAX_TRIES * len(evidence.rows or [1]):
        score.less("fail", f"{len(evidence.log)} attempts")
    early = [seen for seen in bad if seen.at < bad[0].at + FIRST_SECONDS]
    if len(early) > MAX_TRIES_AT_FIRST:
        score.less("fail", f"{len(early)} attempts in the first {FIRST_SECONDS:g} s")
    gaps = [later.at - earlier.at for earlier, later in pairwise(bad)]
    if gaps and min(gaps) < expect.gap_seconds:
        score.less("fail", f"tried again after {min(gaps):.2f} s")
    if expect.state is not None and evidence.states["bad"] != expect.state:
        score.less("partial", f"the account is {evidence.states['bad']}, not {expect.state}")
