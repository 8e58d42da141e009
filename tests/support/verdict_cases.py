"""
Responses of upstreams for every row of the verdict table, with their expected consequences.

The expectations are stated independently, by the rules of the design and not by the consequences in the
table, so that a wrong row is found. `row_of` finds the row of a response.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from app.accounts.verdicts import RULES, Rule
from app.errors import (
    EndpointMissing,
    ResponsesDiffer,
    StreamEventTooLarge,
    StreamIdleTimeout,
    StreamIncomplete,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamRedirected,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.streaming.upstream_errors import rejection_from_body, rejection_from_event

Json = dict[str, Any]

MODEL, OTHER_MODEL = "m-1", "n-1"
NAMED_SECONDS = 30  # an upstream's wait: longer than requests wait, shorter than a usage window
LONG_SECONDS = 3600
PAGE = "<!DOCTYPE html><html><title>Just a moment...</title></html>"
SSE = {"content-type": "text/event-stream"}
NO_SERVER = "http://127.0.0.1:1/v1"  # no process listens there


@dataclass(frozen=True, slots=True)
class Expected:
    """What one failure does to its account, and what it means for the caller."""

    state: str = "active"  # of the account
    model_state: str = ""  # of the model at the account; empty: it stays available
    seconds: float | None = 0.0  # how long either lasts if the upstream names no end; None: without end
    requests_of_three: int = 3  # upstream requests if each of three accounts fails like this
    same_again: bool = False  # whether a fourth one may go to an account that has failed already
    reply: tuple[int, str] | None = None  # status and code if all fail; None: those of the upstream
    only_one: bool = False  # whether one request does this to at most one account

    @property
    def tries_another(self) -> bool:
        return self.requests_of_three > 1

    @property
    def states_of_three(self) -> list[str]:
        """Return, sorted, the states of three accounts of which as many failed as one request tries."""
        if self.state == "credential_dead":
            return ["active", "credential_dead", "suspected"]
        if self.only_one or self.state == "suspected":
            return sorted(["active", "active", self.state])
        return [self.state] * 3


REQUEST_FAULT = Expected(requests_of_three=1)
NOT_TAKEN = Expected(requests_of_three=2)
NOT_ALLOWED = replace(NOT_TAKEN, reply=(502, ""))  # what the account may not do
NO_ENDPOINT = Expected(reply=(502, "upstream_error"))
SILENT = Expected(reply=(502, ""))
SUSPECTED = Expected("suspected", seconds=2.0)
FAILING = replace(SUSPECTED, same_again=True)
BROKEN = replace(SUSPECTED, reply=(502, ""))
BLOCKED = replace(SUSPECTED, reply=(502, "upstream_error"))
BURST = Expected("burst_limited", seconds=2.0, same_again=True)
LIMITED = Expected(model_state="limited", seconds=2.0, same_again=True)
OVERLOADED = Expected(model_state="overloaded", seconds=5.0, same_again=True)
MISSING = Expected(model_state="missing", seconds=300.0, reply=(404, "model_not_found"))
SPENT = Expected("window_spent", seconds=600.0, reply=(429, "usage_limit_reached"))
UNPAID = replace(SPENT, state="payment_required", seconds=30.0)  # until its next test
PRICE = replace(UNPAID, reply=None, only_one=True)
REFUSED = Expected(
    "credential_dead", seconds=None, requests_of_three=2, reply=(502, "upstream_error"), only_one=True
)


@dataclass(frozen=True, slots=True)
class Case:
    """
    One response: a play of the scripted upstream, or *error* if no play produces it.

    *error* is what the upstream client raises for a play that is not a refusal.
    """

    name: str
    expected: Expected
    play: Json | None = None
    error: UpstreamError | None = None
    kind: str = "openai"
    prompt: str = "Hello"
    base_url: str = ""  # in place of the scripted upstream's
    limits: Json = field(default_factory=dict)  # time limits of the pool, in seconds
    limits_of_three: Json = field(default_factory=dict)  # the same where every account fails
    is_core_only: bool = False  # whether only chat and responses can receive it

    @property
    def body(self) -> Json:
        """Return the error object of the play, {} if it has none."""
        assert self.play is not None
        found = self.play.get("body", {}) if self.is_refusal else self.play if self.is_event else {}
        inner = found.get("error", found) if isinstance(found, dict) else {}
        return inner if isinstance(inner, dict) else {}

    @property
    def is_refusal(self) -> bool:
        return self.play is not None and self.play.get("play") == "http_error"

    @property
    def is_event(self) -> bool:
        """Return whether the failure is an event of a stream that began well."""
        return self.play is not None and self.play.get("play") == "error_in_stream"

    @property
    def status(self) -> int | None:
        return self.play.get("status") if self.play is not None else None

    def rejection(self) -> UpstreamError:
        """Return what the failure is to the gateway."""
        if self.error is not None:
            return self.error
        assert self.play is not None
        if self.is_event:
            found = rejection_from_event({"error": self.body})
        else:
            data = self.play["body"] if self.is_refusal else self.play["steps"][0]["send"]
            raw = data.encode() if isinstance(data, str) else orjson.dumps(data)
            found = rejection_from_body(self.play["status"], raw, self.play.get("headers", {}))
        found.echoes_request = lambda words: words.lower() in self.prompt.lower()
        return found

    @property
    def row(self) -> int:
        """Return the number of its row in the table."""
        return row_of(self.rejection(), self.kind)

    @property
    def names_end(self) -> bool:
        error = self.rejection()
        return error.retry_after_seconds is not None or error.resets_at is not None

    def with_wait(self) -> Case:
        """Return the same failure with a wait of NAMED_SECONDS, if a request could wait for it."""
        refused = isinstance(self.rejection(), UpstreamRejected)
        if self.play is None or self.names_end or not refused or not self.expected.same_again:
            return self
        if self.is_event:
            message = f"{self.body['message']} Please try again in {NAMED_SECONDS}s."
            return replace(self, play={**self.play, "error": {**self.play["error"], "message": message}})
        headers = {**self.play.get("headers", {}), "retry-after": str(NAMED_SECONDS)}
        return replace(self, play={**self.play, "headers": headers})


def row_of(error: UpstreamError, kind: str = "openai") -> int:
    """Return the number of the row that applies to *error*."""
    return next(number for number, rule in enumerate(RULES) if rule.fits(error, kind, MODEL))


def refusal(status: int, message: str = "No.", headers: Json | None = None, **error: Any) -> Json:
    play = {"play": "http_error", "status": status, "body": {"error": {"message": message, **error}}}
    return {**play, "headers": headers} if headers else play


def body(status: int, content: Any) -> Json:
    return {"play": "http_error", "status": status, "body": content}


def page(status: int) -> Json:
    return _complete(status, "text/html", PAGE)


def bare(status: int) -> Json:
    return _complete(status, "text/plain", "")


def text(status: int, words: str) -> Json:
    return _complete(status, "text/plain", words)


def _complete(status: int, kind: str, content: str) -> Json:
    headers = {"content-type": kind}
    return {"status": status, "headers": headers, "framing": "length", "steps": [{"send": content}]}


def event(message: str = "No.", after: int = 0, **error: Any) -> Json:
    """Return the play of a stream that fails before its first visible event."""
    given = {"message": message, "type": None, "code": None, **error}
    return {"play": "error_in_stream", "after": after, "error": given, "text": "One two.", "deltas": 4}


def stream(*steps: Json) -> Json:
    return {"status": 200, "headers": SSE, "steps": list(steps)}


def huge_event() -> Json:
    """Return the play of one event of 24 MiB, which is itself only a few kilobytes."""
    data = gzip.compress(b"data: " + bytes(24 * 1024 * 1024))
    headers = {**SSE, "content-encoding": "gzip"}
    return {"status": 200, "headers": headers, "steps": [{"send_b64": base64.b64encode(data).decode()}]}


AFTER_LONG = {"retry-after": str(LONG_SECONDS)}
FAMILY = {"x-codex-active-limit": "codex_small", "x-codex-small-primary-used-percent": "100"}
SOON = {"connect": 0.2, "total": 1.0}
NO_PROGRESS = {"connect": 0.2, "first_progress": 0.3, "headers": 0.3}
NO_IMAGE_TOOL = "Tool choice 'image_generation' not found in 'tools' parameter."
SAME_WORDS = "Say: access to the model"
STALL = {"before": [{"stall": True}]}
WRONG_PLACE = {"status": 302, "headers": {"location": "http://127.0.0.1:1/"}, "framing": "length"}

CASES: tuple[Case, ...] = (
    # of the connection and the stream
    Case("another answer", REQUEST_FAULT, error=ResponsesDiffer("x")),
    Case(
        "cut", replace(FAILING, reply=(502, "")), stream(), StreamIncomplete("x"),
        limits_of_three=SOON, is_core_only=True,
    ),
    Case(
        "silent", SILENT, STALL, StreamIdleTimeout("x"),
        limits=NO_PROGRESS, limits_of_three={**NO_PROGRESS, "total": 2.0}, is_core_only=True,
    ),
    Case("huge event", BROKEN, huge_event(), StreamEventTooLarge("x"), is_core_only=True),
    Case("page", BROKEN, page(200), UpstreamProtocolError("x")),
    Case(
        "no JSON", BROKEN, stream({"send": "data: {not json\n\n"}), UpstreamProtocolError("x"),
        is_core_only=True,
    ),
    Case("redirected", BROKEN, WRONG_PLACE, UpstreamRedirected(302)),
    Case(
        "late", replace(REQUEST_FAULT, reply=(502, "")), STALL, UpstreamTimeout("x"),
        limits={"connect": 0.2, "total": 0.5}, limits_of_three={"connect": 0.2, "total": 0.5},
    ),
    Case("no endpoint anywhere", NO_ENDPOINT, error=EndpointMissing("embeddings", MODEL)),
    Case("reset", BROKEN, {"before": [{"reset": True}]}, UpstreamUnreachable("x", sent=True)),
    Case(
        "unreachable", replace(FAILING, reply=(502, "")), {}, UpstreamUnreachable("x"),
        base_url=NO_SERVER, limits_of_three=SOON,
    ),
    # this prompt, this request
    Case("too long", REQUEST_FAULT, refusal(400, "Too long.", code="context_length_exceeded")),
    Case("policy", REQUEST_FAULT, refusal(403, code="content_policy_violation")),
    Case("too long, streamed", replace(REQUEST_FAULT, reply=(400, "")),
         event("Too long.", code="context_length_exceeded")),
    # a key that lacks a scope, and keys that are gone
    Case("scopes", NOT_ALLOWED, refusal(401, "Insufficient permissions. Missing scopes: model.request")),
    Case("suspended", REFUSED, refusal(403, "Suspended.", code="account_suspended")),
    Case("suspended at 400", REFUSED, refusal(400, "Suspended.", code="account_suspended")),
    Case("workspace", REFUSED, body(402, {"detail": {"code": "deactivated_workspace"}})),
    Case("key, streamed", REFUSED, event(code="invalid_api_key")),
    Case("suspended, streamed", REFUSED, event("Suspended.", code="account_suspended")),
    Case("key at Google", REFUSED, body(400, [{"error": {"message": "API key not valid.", "code": 400}}])),
    Case("key at xAI", REFUSED, body(400, {"code": "Bad", "error": "Incorrect API key provided: x"})),
    # this prompt, by its words
    Case("flagged", REQUEST_FAULT, refusal(403, "Your input was flagged", code=403)),
    Case("too dear", REQUEST_FAULT, refusal(402, "This needs more credits, or fewer max_tokens.")),
    # this model
    Case("cannot stream", NOT_TAKEN, refusal(400, "Your organization must be verified to stream")),
    Case("no image tool", NOT_TAKEN, body(400, {"detail": NO_IMAGE_TOOL}), kind="chatgpt"),
    Case("unknown model", MISSING, refusal(404, "Unknown.", code="model_not_found")),
    Case("no access", MISSING, refusal(403, "Not yours.", code="model_not_found")),
    Case("unknown model, streamed", MISSING, event("Unknown.", code="model_not_found")),
    Case("not verified", MISSING, refusal(403, f"You must be verified to use the model `{MODEL}`.")),
    Case("vLLM", MISSING, refusal(404, f"The model `{MODEL}` does not exist.", type="NotFoundError")),
    Case("Codex", MISSING, body(400, {"detail": f"The '{MODEL}' model is not supported when using Codex"}),
         kind="chatgpt"),
    Case("words of the caller", NOT_TAKEN, refusal(400, "Bad: 'access to the model'"), prompt=SAME_WORDS),
    Case("too large for its limit", NOT_TAKEN, refusal(429, "Request too large for it", code="tokens")),
    Case("limit of a family", LIMITED, refusal(429, headers=FAMILY, type="usage_limit_reached"),
         kind="chatgpt"),
    Case("reset of a family", replace(LIMITED, seconds=LONG_SECONDS, reply=(429, "usage_limit_reached")),
         refusal(429, headers={**FAMILY, "x-codex-small-primary-reset-after-seconds": str(LONG_SECONDS)},
                 type="usage_limit_reached"), kind="chatgpt"),
    Case("not in the plan", replace(LIMITED, seconds=600.0), refusal(429, type="usage_not_included"),
         kind="chatgpt"),
    # what is used up
    Case("budget in flight", replace(BURST, seconds=NAMED_SECONDS),
         refusal(402, "Later.", {"retry-after": str(NAMED_SECONDS)})),
    Case("limit of the model", replace(LIMITED, seconds=LONG_SECONDS, reply=(429, "usage_limit_reached")),
         refusal(429, f"Rate limit reached for {MODEL} on tokens per day", AFTER_LONG), kind="chatgpt"),
    Case("quota", UNPAID, refusal(429, code="insufficient_quota")),
    Case("quota with a reset", replace(SPENT, seconds=LONG_SECONDS),
         refusal(429, "Later.", AFTER_LONG, code="insufficient_quota")),
    Case("usage limit", replace(SPENT, seconds=LONG_SECONDS),
         refusal(429, type="usage_limit_reached", resets_in_seconds=LONG_SECONDS), kind="chatgpt"),
    Case("quota, streamed", UNPAID, event(code="insufficient_quota")),
    Case("credits by words", UNPAID, refusal(403, "Your team has used all available credits")),
    Case("plan by words", SPENT, refusal(403, "You have reached your usage limit for this period")),
    Case("balance at 402", PRICE, refusal(402, "Payment required")),
    Case("overload", OVERLOADED, refusal(503, code="server_is_overloaded")),
    Case("overload, streamed", replace(OVERLOADED, reply=(502, "server_is_overloaded")),
         event(code="server_is_overloaded")),
    Case("loading", OVERLOADED, refusal(503, "Loading model")),
    Case("at capacity", OVERLOADED, text(429, "The model is at capacity")),
    Case("Groq is full", OVERLOADED, bare(498)),
    Case("Anthropic is full", OVERLOADED, page(529)),
    Case("too large", NOT_TAKEN, refusal(413, "Too large.")),
    Case("long wait", replace(SPENT, seconds=LONG_SECONDS), refusal(429, "Wait.", AFTER_LONG)),
    Case("parallel requests", BURST, refusal(429, "Too many concurrent requests")),
    Case("429 of a proxy", BURST, page(429)),
    Case("rate limit of an API", LIMITED, refusal(429, "Slow down.", code="rate_limit_exceeded")),
    Case("rate limit of a server", LIMITED, bare(429), kind="compatible"),
    Case("rate limit of a sign-in", BURST, refusal(429, "Slow down."), kind="chatgpt"),
    Case("rate limit, streamed", replace(BURST, reply=(502, "limit_requests")), event(code="limit_requests"),
         kind="chatgpt"),
    # whom
    Case("401 of a proxy", BLOCKED, page(401)),
    Case("bare 401", REFUSED, bare(401)),
    Case("401 in words", REFUSED, text(401, "Unauthorized")),
    Case("restricted", NOT_ALLOWED, refusal(403, code="organization_restricted")),
    Case("challenge", BLOCKED, page(403)),
    Case("bare 403", BLOCKED, bare(403)),
    Case("403 in words", BLOCKED, text(403, "Go away")),
    Case("unknown 403", BROKEN, refusal(403, "Not here.", code="unsupported_country")),
    Case("402 of a proxy", BLOCKED, page(402)),
    # where
    Case("an old response", REQUEST_FAULT, refusal(404, "Response with id 'resp_1' not found.")),
    Case("bare 404", NO_ENDPOINT, bare(404)),
    Case("unknown address", NO_ENDPOINT, refusal(404, "Invalid URL (POST /v1)")),
    Case("FastAPI", NO_ENDPOINT, body(405, {"detail": "Method Not Allowed"})),
    # what
    Case("parameter", NOT_TAKEN, refusal(400, "No logit_bias", code="unsupported_parameter")),
    Case("parameter, streamed", replace(NOT_TAKEN, reply=(400, "unsupported_parameter")),
         event("No logit_bias", code="unsupported_parameter")),
    Case("Mistral", NOT_TAKEN, body(422, {"detail": [{"msg": "Extra inputs are not permitted"}]})),
    Case("request timeout", FAILING, refusal(408, "Too slow.")),
    Case("bare 408", FAILING, bare(408)),
    Case("server error", FAILING, refusal(500, "Oops.")),
    Case("page of a server", FAILING, page(502)),
    Case("failure, streamed", replace(FAILING, reply=(502, "server_error")), event(code="server_error")),
    Case("400 of a proxy", BLOCKED, page(400)),
    Case("bare 418", BLOCKED, bare(418)),
    Case("invalid value", REQUEST_FAULT, refusal(400, "Too low.", code="decimal_below_min_value")),
    Case("400 in words", REQUEST_FAULT, text(400, "bad request")),
    Case("of a failure", FAILING, error=UpstreamError("x")),
)  # fmt: skip

PLAYED = tuple(case for case in CASES if case.play is not None)


def variants() -> Iterator[Case]:
    """Yield the other responses of each row: one for each of its codes and of its listed statuses."""
    seen: set[tuple[int, object]] = set()
    for case in PLAYED:
        rule = RULES[case.row]
        for key, other in _variants(case, rule):
            if (case.row, key) not in seen and other.row == case.row:
                seen.add((case.row, key))
                yield other


def _variants(case: Case, rule: Rule) -> Iterator[tuple[object, Case]]:
    play = case.play
    assert play is not None
    for code in sorted(rule.codes) if "code" in case.body or "type" in case.body else ():
        error = {**case.body, "message": "No.", "code": code}
        own = {"error": error} if case.is_event else {"body": {"error": error}}
        yield (code, case.is_event), replace(case, name=f"{case.name}: {code}", play={**play, **own})
    if case.status is not None and isinstance(case.rejection(), UpstreamRejected):
        for status in _edges(rule):
            is_about_account = status in (401, 403) and case.expected == NOT_TAKEN
            expected = NOT_ALLOWED if is_about_account else case.expected
            name, sent = f"{case.name}: {status}", {**play, "status": status}
            yield status, replace(case, name=name, play=sent, expected=expected)


def _edges(rule: Rule) -> list[int]:
    """Return the statuses that a row lists; of a range, its ends."""
    if isinstance(rule.statuses, range):
        return [rule.statuses.start, rule.statuses.stop - 1]
    listed = list(rule.statuses)
    return listed if len(listed) <= 4 else [listed[0], listed[1], listed[-1]]


VARIANTS = tuple(variants())
