"""
The faults of upstreams, and what a client is owed under each: one table, as data.

An account called `bad` is tried first and plays what the row specifies, request by request, the
last play for ever. Where `good` is true there is another account, which answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.faults import responses
from tests.faults.responses import (
    MOMENT,
    STALL,
    Json,
    Play,
    edited,
    in_stream,
    midway,
    rejected,
    saying,
    send,
    streamed,
)

AT_ONCE = 1.8  # seconds: room for a busy machine, and less than any pause or grace of the gateway's


@dataclass(frozen=True, slots=True)
class Expect:
    """
    What must have happened. `by` names who answered, None means an honest failure.

    Times are seconds; those of `limits` shrink with the gateway's time limits.
    """

    by: str | None = None
    code: str | None = None  # of the failure
    status: int | None = None  # of the failure, if it came before any event
    requested: tuple[int, int] = (1, 1)  # how often `bad` was, at least and at most
    seconds: float = 5.0  # all settings, in addition to what `limits` adds
    limits: float = 0.0
    gap_seconds: float = 0.0  # at least, before `bad` is tried again
    state: str | None = None  # of `bad` afterwards
    source: str | None = None  # of the usage in the ledger


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    bad: tuple[Play, ...]
    streamed: Expect
    is_complete: Expect | None = None  # where it differs: a client that has seen nothing can be given another
    good: bool = True
    wire: str | None = None  # the one wire that can fail like this
    body: dict[str, Json] = field(default_factory=dict)  # more of the request, by surface
    requests: int = 1  # one after the other
    unreachable: bool = False  # no server listens where `bad` should be
    few: bool = False  # not in all settings at once: it takes the gateway's budget for repeats, or its time

    def expected(self, stream: bool) -> Expect:
        return self.streamed if stream or self.is_complete is None else self.is_complete


def failing_over(name: str, *bad: Play, is_complete: Expect | None = None, **expect: Any) -> Case:
    """Before the first visible event: the other account answers, and the client does not notice."""
    more = {key: expect.pop(key) for key in ("wire", "requests", "unreachable") if key in expect}
    return Case(name, bad, Expect(**({"by": "good", "source": "upstream"} | expect)), is_complete, **more)


def alone(name: str, *bad: Play, **expect: Any) -> Case:
    """`bad` is all there is."""
    more = {key: expect.pop(key) for key in ("wire", "body") if key in expect}
    expected = Expect(**({"by": "bad", "source": "upstream"} | expect))
    return Case(name, bad, expected, good=False, few=expected.requested[1] > 1, **more)


def breaking(name: str, bad: Play, code: str, **more: Any) -> Case:
    """After the first visible event: the truth, at once; unless the client has seen nothing."""
    seconds = {"limits": more.pop("limits", 0.0)}
    reply = Expect(code=code, source=more.pop("source", "estimated"), **seconds)
    return Case(name, (bad,), reply, Expect(by="good", source="upstream", **seconds), **more)


def reply(name: str, bad: Play, code: str, status: int = 400) -> Case:
    """The client's own mistake: reported at once, not retried, and no account is blamed."""
    return Case(name, (bad,), Expect(code=code, status=status, state="active", seconds=AT_ONCE))


BUSY = "server_is_overloaded"
THINKING: dict[str, Json] = {
    "chat": {"reasoning_effort": "high"},
    "responses": {"reasoning": {"effort": "high"}},
}
CAUSE: dict[str, Any] = {"type": "invalid_request_error"}

BEFORE = (
    failing_over(
        "429 with Retry-After 2",
        rejected(429, "rate_limit_exceeded", headers={"retry-after": "2"}),
        seconds=AT_ONCE,
        state="active",
    ),
    failing_over(
        "429 with Retry-After 2, then another request",
        rejected(429, "rate_limit_exceeded", headers={"retry-after": "2"}),
        requests=2,
        seconds=AT_ONCE,
    ),
    alone(
        "429 with Retry-After 2, alone",
        rejected(429, "rate_limit_exceeded", headers={"retry-after": "2"}),
        saying("bad"),
        requested=(2, 2),
        gap_seconds=1.8,
        seconds=4.0,
        state="active",
    ),
    failing_over(
        "429 without Retry-After",
        rejected(429, "rate_limit_exceeded"),
        seconds=AT_ONCE,
        state="active",
    ),
    alone(
        "429 without Retry-After, alone",
        rejected(429, "rate_limit_exceeded"),
        saying("bad"),
        requested=(2, 2),
        gap_seconds=0.1,
        seconds=5.0,
    ),
    failing_over("500 once", rejected(500), saying("bad"), seconds=AT_ONCE),
    alone("500 once, alone", rejected(500), saying("bad"), requested=(2, 2), state="active"),
    alone(
        "503 for ever",
        rejected(503, "unavailable"),
        by=None,
        source="estimated",
        status=503,
        requested=(2, 6),
        seconds=12.0,
    ),
    failing_over("reset before headers", {"before": [{"reset": True}]}),
    alone(  # it may have begun the request, which is not sent to it twice
        "reset before headers, alone",
        {"before": [{"reset": True}]},
        saying("bad"),
        by=None,
        code="upstream_unavailable",
        source="estimated",
        status=502,
    ),
    failing_over("closed before headers", {"before": [{"close": True}]}),
    failing_over("closed port", saying("bad"), unreachable=True, requested=(0, 0)),
    failing_over("no answer at all", {"before": [STALL]}, limits=13.0),
    alone(
        "no answer at all, alone",
        {"before": [STALL]},
        by=None,
        code="upstream_request_timeout",
        source="estimated",
        status=502,
        limits=210.0,
        state="active",
    ),
    alone("slow headers", {**saying("bad"), "before": [{"sleep": 5.0}]}, limits=5.0, state="active"),
    alone("slow first token", saying("bad", at={"0": [{"sleep": 8.0}]}), limits=8.0, state="active"),
    alone(
        "slow first token, thinking",
        saying("bad", at={"0": [{"sleep": 25.0}]}),
        limits=25.0,
        body=THINKING,
        state="active",
    ),
    failing_over("nothing after the opening", edited(responses.opening, STALL), limits=13.0),
    failing_over("nothing after the first item", saying("bad", at={"0": [STALL]}), limits=31.0),
    failing_over("overloaded in a 200, response.failed", in_stream(BUSY, "failed"), state="active"),
    failing_over("overloaded in a 200, error", in_stream(BUSY, "error"), state="active"),
    failing_over("overloaded in a 200, nested error", in_stream(BUSY, "nested"), state="active"),
    reply(
        "400 context_length_exceeded",
        rejected(400, "context_length_exceeded", **CAUSE),
        "context_length_exceeded",
    ),
    reply("400 content_filter", rejected(400, "content_filter", **CAUSE), "content_filter"),
    reply(
        "context_length_exceeded in a 200",
        in_stream("context_length_exceeded", "failed"),
        "context_length_exceeded",
    ),
    failing_over("a web page", streamed({"send": "<html>"}) | {"headers": {"content-type": "text/html"}}),
    alone(
        "a web page, alone",
        streamed({"send": "<html>"}) | {"headers": {"content-type": "text/html"}},
        by=None,
        code="upstream_protocol_error",
        source="estimated",
        status=502,
    ),
    failing_over("401", rejected(401, "invalid_api_key"), state="credential_dead"),
    alone(
        "401, alone",
        rejected(401, "invalid_api_key"),
        by=None,
        code="upstream_error",
        source="estimated",
        status=502,
        state="credential_dead",
    ),
    failing_over("an empty stream", streamed()),
    failing_over("garbage first", streamed({"send": "data: {not json\n\n"})),
    failing_over("not gzip", responses.not_compressed),
)

AFTER = (
    breaking("reset midway", midway(MOMENT, {"reset": True}), "stream_incomplete"),
    breaking("closed midway", midway({"close": True}), "stream_incomplete"),
    breaking("ended midway", midway({"end": True}), "stream_incomplete"),
    breaking("short of its length", responses.short_of_its_length, "stream_incomplete"),
    breaking("stall midway", midway(STALL), "stream_idle_timeout", limits=45.0),
    breaking("malformed event", midway({"send": 'data: {"a": \n\n'}), "upstream_protocol_error"),
    breaking("garbage bytes", midway(send(b"\x00\xff\xfe\n\n\x93\n\n")), "upstream_protocol_error"),
    alone("invalid UTF-8", midway(send(b'data: {"x": "\xff\xfe"}\n\n'))),
    breaking("broken framing", midway(MOMENT, {"raw": "zzzz\r\n"}), "upstream_protocol_error"),
    breaking("gzip that breaks", responses.corrupted, "upstream_protocol_error"),
    breaking("event too large", responses.too_large, "stream_event_too_large", few=True),
    breaking("failure midway", in_stream("server_error", "failed", **saying("bad", after=3)), "server_error"),
    breaking(
        "[DONE] without finish_reason",
        edited(responses.without_finish),
        "stream_incomplete",
        wire="chat",
        source="upstream",
    ),
    breaking("no terminal event", edited(responses.without_terminal), "stream_incomplete", wire="responses"),
    breaking(
        "no terminal event, left open",
        edited(responses.without_terminal, STALL),
        "stream_idle_timeout",
        wire="responses",
        limits=45.0,
    ),
    alone("no [DONE]", edited(responses.without_done), wire="chat", seconds=AT_ONCE),
    alone("no [DONE], left open", edited(responses.without_done, STALL), wire="chat", seconds=AT_ONCE),
    alone(
        "no [DONE], reset",
        edited(responses.without_done, {"reset": True}),
        wire="chat",
        seconds=AT_ONCE,
    ),
    alone(
        "ends at finish_reason",
        edited(responses.until_finish),
        wire="chat",
        seconds=AT_ONCE,
        source="estimated",
    ),
    alone(
        "ends at finish_reason, left open",
        edited(responses.until_finish, STALL),
        wire="chat",
        seconds=8.0,
        source="estimated",
    ),
    alone(
        "ends at finish_reason, closed",
        edited(responses.until_finish, {"close": True}),
        wire="chat",
        seconds=AT_ONCE,
        source="estimated",
    ),
    alone("left open after the terminal", edited(list, STALL), seconds=AT_ONCE),
    alone("reset after the terminal", edited(list, MOMENT, {"reset": True}), seconds=AT_ONCE),
    alone("the answer twice", edited(responses.sent_twice), seconds=AT_ONCE),
    alone("two terminals", edited(responses.two_finishes), seconds=AT_ONCE),
    alone("no usage", edited(responses.without_usage), source="estimated"),
    alone("one id for everything", edited(responses.with_one_id)),
)

CASES = {case.name: case for case in BEFORE + AFTER}
