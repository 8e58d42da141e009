"""
Sixteen faults of a provider, what a correct gateway does about each, and how that is checked.

A fault is a list of plays for the primary model (the last one repeats). Every healthy answer is
the same sixty tokens, so that completeness is an exact comparison. Times are seconds at full
length; `Pace` shortens those that only wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults import responses
from tests.faults.failover.facts import Facts
from tests.faults.responses import edited

Json = dict[str, Any]

RESPONSE = (
    "A pool of accounts is only as good as its worst minute: when one provider slows, breaks, or claims to "
    "have finished while it has not, the people who wait behind it should notice nothing but a short pause, "
    "and where no one else can answer them they should get the plain truth, at once."
)
TOKENS = 60  # pieces in which it is streamed
HEALTHY, NO_PREFILL = "ok", "ok-no-prefill"  # models that always answer; the second refuses a prefill
COMPLETE: Json = {"play": "text", "text": RESPONSE, "deltas": TOKENS}
RETRY_AFTER_SECONDS = 2
CUT_AFTER, STALL_AFTER, MALFORMED_AT = 40, 20, 10  # tokens
BACK_SECONDS = 30.0  # after an outage the primary is used again
ALIVE_SECONDS = 10.0  # for the healthy request after each scenario


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take. *scale* shortens silences and the limits that watch over them alike."""

    scale: float = 1.0
    token_seconds: float = 0.015

    def seconds(self, full: float) -> float:
        return full * self.scale

    @property
    def slack_seconds(self) -> float:
        """What a busy machine may add to a shortened time; nothing at full length."""
        return 0.0 if self.scale == 1.0 else 8.0


@dataclass(frozen=True, slots=True)
class Check:
    """One observation that must hold. One that is *advisory* costs a `pass`, but is no failure."""

    name: str
    holds: Callable[[Facts, Pace], bool]
    advisory: bool = False
    needs_fallback: bool = False  # not judged where no fallback is configured


@dataclass(frozen=True, slots=True)
class Scenario:
    id: str
    title: str
    plays: Callable[[Pace], Sequence[Json]]
    checks: tuple[Check, ...]
    hang_seconds: float  # later than this the call counts as hung
    fallback: str = HEALTHY
    expects_error: bool = False  # the ideal outcome is the provider's own refusal
    outage_seconds: float = 0.0  # of a sequence: its plays are in force for so long
    requests: int = 1
    interval_seconds: float = 0.0

    @property
    def model(self) -> str:
        return f"fault-{self.id.lower()}"


def answering(pace: Pace, between: dict[int, list[Json]] | None = None, *, start: float = 0.0) -> Json:
    """Return the play of a complete response, token by token, with steps *between* its tokens."""
    at: dict[str, list[Json]] = {
        str(number): [*(between or {}).get(number, ()), {"sleep": pace.token_seconds}]
        for number in range(1, TOKENS)
    }
    if start:
        at["start"] = [{"sleep": start}]
    return {**COMPLETE, "at": at}


def _refused(status: int, code: str | None, message: str, kind: str, **headers: str) -> Json:
    error = {"message": message, "type": kind, "code": code, "param": None}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"play": "http_error", "status": status, "body": {"error": error}, "headers": named}


def _rate_limited(**headers: str) -> Json:
    return _refused(429, "rate_limit_exceeded", "Rate limit reached.", "rate_limit_error", **headers)


OVERLOADED = _refused(503, "overloaded", "The engine is currently overloaded.", "server_error")
BROKEN_EVENT = (
    'data: {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"delta": {"content": \n\n'
)


def _without_done(pace: Pace) -> Json:
    return edited(responses.without_done, of=COMPLETE)("chat")


def _primary(least: int = 0, most: int = 1_000) -> Callable[[Facts, Pace], bool]:
    return lambda facts, pace: least <= len(facts.primary_at) <= most


def _early(seconds: float, most: int) -> Callable[[Facts, Pace], bool]:
    """At most *most* attempts at the primary in the first *seconds*, counted from its first."""
    return lambda facts, pace: sum(at < facts.primary_at[0] + seconds for at in facts.primary_at) <= most


def _within(seconds: float, *, scaled: bool = True) -> Callable[[Facts, Pace], bool]:
    def holds(facts: Facts, pace: Pace) -> bool:
        return facts.seconds <= (pace.seconds(seconds) if scaled else seconds) + pace.slack_seconds

    return holds


def _gap(facts: Facts, pace: Pace) -> bool:
    times = facts.primary_at
    return len(times) > 1 and times[1] - times[0] >= 0.9 * RETRY_AFTER_SECONDS


def _back(facts: Facts, pace: Pace) -> bool:
    back = facts.back_after_seconds
    return back is not None and back <= BACK_SECONDS


HONEST = Check("nothing truncated is shown as whole", lambda facts, pace: not facts.truncated_success)
ALIVE = Check("a healthy request is served afterwards", lambda facts, pace: facts.alive)
SIX = Check("at most six attempts", _primary(most=6))
ONCE = Check("the same model is requested once", _primary(1, 1))


def _cut(pace: Pace) -> Sequence[Json]:
    return [answering(pace, {CUT_AFTER: [{"close": True}]})]


def _one(play: Json) -> Callable[[Pace], Sequence[Json]]:
    return lambda pace: [play]


def _then_healthy(play: Json) -> Callable[[Pace], Sequence[Json]]:
    return lambda pace: [play, answering(pace)]


SCENARIOS = (
    Scenario(
        "S01",
        "429 with Retry-After",
        _then_healthy(_rate_limited(retry_after=str(RETRY_AFTER_SECONDS))),
        (
            Check("requested again", _primary(2), advisory=True),
            Check("Retry-After is honoured", _gap, advisory=True),
            Check("no tight loop", _early(1.5, 2)),
        ),
        20,
    ),
    Scenario(
        "S02",
        "429 for ever",
        _one(_rate_limited()),
        (Check("no tight loop", _early(3, 4)), SIX),
        40,
    ),
    Scenario(
        "S03",
        "500 once",
        _then_healthy(_refused(500, None, "The server had an error.", "server_error")),
        (Check("requested again", _primary(2), advisory=True),),
        20,
    ),
    Scenario("S04", "503 for ever", _one(OVERLOADED), (SIX,), 40),
    Scenario("S05", "reset before headers", _then_healthy({"before": [{"reset": True}]}), (), 20),
    Scenario(
        "S06",
        "no answer at all",
        _one({"before": [{"stall": True}]}),
        (
            Check("ends within its budget", _within(100)),
            Check("the silent route is requested once", _primary(most=1), advisory=True),
        ),
        130,
    ),
    Scenario(
        "S07",
        "slow first token",
        lambda pace: [answering(pace, start=pace.seconds(20))],
        (Check("another answers in time", _within(15), advisory=True, needs_fallback=True),),
        60,
    ),
    Scenario("S08", "stream cut", _cut, (HONEST,), 40),
    Scenario(
        "S09",
        "stream stalls",
        lambda pace: [answering(pace, {STALL_AFTER: [{"sleep": pace.seconds(30)}, {"close": True}]})],
        (Check("ends within a bounded time", _within(45)), HONEST, ALIVE),
        70,
    ),
    Scenario(
        "S10",
        "malformed event",
        lambda pace: [answering(pace, {MALFORMED_AT: [{"send": BROKEN_EVENT}]})],
        (ALIVE, HONEST, Check("the answer is complete", lambda f, pace: f.complete, advisory=True)),
        30,
    ),
    Scenario(
        "S11",
        "no [DONE]",
        lambda pace: [_without_done(pace)],
        (
            Check("ends at once", _within(8, scaled=False)),
            Check("usage is reported", lambda facts, pace: facts.usage, advisory=True),
        ),
        30,
    ),
    Scenario(
        "S12",
        "prompt too long",
        _one(
            _refused(
                400,
                "context_length_exceeded",
                "This model's maximum context length is 8192 tokens.",
                "invalid_request_error",
            )
        ),
        (ONCE,),
        20,
    ),
    Scenario(
        "S13",
        "content filter",
        _one(
            _refused(
                400,
                "content_policy_violation",
                "Your request was rejected as a result of our safety system.",
                "invalid_request_error",
            )
        ),
        (ONCE,),
        20,
        expects_error=True,
    ),
    Scenario(
        "S14",
        "cut, and the fallback refuses a prefill",
        _cut,
        (HONEST, Check("no prefill is sent", lambda facts, pace: not facts.prefills)),
        40,
        fallback=NO_PREFILL,
    ),
    Scenario(
        "S15",
        "down, then well again",
        _one(OVERLOADED),
        (
            Check(
                "served during the outage",
                lambda facts, pace: facts.served_during_outage,
                needs_fallback=True,
            ),
            Check("the primary is used again in time", _back, needs_fallback=True),
        ),
        30,
        outage_seconds=60,
        requests=20,
        interval_seconds=4,
    ),
    Scenario(
        "S16",
        "accounting of a failover",
        _one(OVERLOADED),
        (
            Check("the fallback is named", lambda f, pace: f.names_fallback, needs_fallback=True),
            Check("usage is reported", lambda f, pace: f.usage, advisory=True, needs_fallback=True),
            SIX,
        ),
        40,
    ),
)
