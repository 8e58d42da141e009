"""
Classify upstream errors by one table. The first row that fits decides.

A status alone decides little: most rows look at the code, the words, the shape of the body and the
kind of account as well. `poolgate doctor states` prints the table.

Sources: https://platform.openai.com/docs/guides/error-codes, https://openrouter.ai/docs/api-reference/errors,
https://console.groq.com/docs/errors, and what the ChatGPT backend and other compatible servers answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.accounts.failures import CONSEQUENCES, Consequence, Failure
from app.accounts.kinds import names_where
from app.errors import (
    BodyShape,
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

KINDS_LIMITED_BY_MODEL = names_where(lambda kind: kind.limits_by_model)
LONG_RESET_SECONDS = 90.0  # a 429 that lasts longer is a spent window, not a burst limit


class Part(StrEnum):
    """Where in the response a failure was reported."""

    STATUS = "status"  # an HTTP status, before anything else
    STREAM = "stream"  # an event inside a stream that began well


class Wait(StrEnum):
    """How the upstream names the time to wait."""

    NAMED = "named"
    LONG = "long"  # or the error names a date, as only usage windows do
    UNKNOWN = "unknown"  # it names neither a wait nor a date


# Codes of accounts and workspaces that no longer exist; then those of keys and tokens.
CLOSED = frozenset(
    {"account_deactivated", "account_suspended", "account_deleted"}
    | {"deactivated_workspace", "workspace_deactivated", "workspace_terminated"}
)
GONE = CLOSED | frozenset(
    {
        *("app_session_terminated", "invalid_api_key", "invalid_authentication"),
        *("token_invalidated", "token_expired", "token_revoked"),
        *("refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated"),
    }
)
# Codes of usage windows, which reset by themselves; then those of credit and billing, which do not.
_SPENT = frozenset({"quota_exceeded", "usage_limit_reached", "1308", "1310"})
_UNPAID = frozenset(
    {
        *("insufficient_quota", "credit_balance_exhausted", "insufficient_balance", "arrearage", "1113"),
        *("organization_spend_limit_exceeded", "project_spend_limit_exceeded", "billing_not_active"),
        *("billing_hard_limit_reached", "exceeded_current_quota_error", "allocationquota.freetieronly"),
        "personal-team-blocked:spending-limit",
    }
)
_OVERLOAD = frozenset(
    {
        *("server_is_overloaded", "overloaded_error", "slow_down", "model_at_capacity", "capacity_exceeded"),
        *("engine_overloaded_error", "service_tier_capacity_exceeded", "3505", "1305"),
    }
)
_RATE = frozenset({"rate_limit_exceeded", "rate_limit_error", "rate_limit_reached_error", "limit_requests"})
_MODEL = frozenset(
    {"model_not_found", "deploymentnotfound", "key_model_access_denied", "model_access_denied"}
)
_PROMPT = frozenset(
    {
        *("context_length_exceeded", "content_filter", "content_policy_violation", "invalid_prompt"),
        *("cyber_policy", "data_inspection_failed", "string_above_max_length", "invalid_encrypted_content"),
        *("moderation_blocked", "image_generation_user_error"),
    }
)
_UNSUPPORTED = frozenset(
    {"unsupported_parameter", "unsupported_value", "unknown_parameter", "wrong_api_format"}
    | {"organization_restricted", "unsupportedparamserror"}
)

_FLAGGED = re.compile(r"flagged|moderation|guardrail|content polic|safety (?:system|polic)", re.I)
_TOO_EXPENSIVE = re.compile(
    r"fewer max_tokens|can only afford|prompt tokens limit exceeded"
    r"|(?:reduce|lower|decrease) (?:your |the )?max_",
    re.I,
)
_NO_MODEL = re.compile(
    r"model is not supported|model (?:named |called )?[`'\"]?[\w./:@-]{1,120}[`'\"]? "
    r"(?:does not exist|doesn't exist|(?:was |is )?not (?:found|supported when|available))"
    r"|access to (?:the )?model|verified to use (?:the )?model"
    r"|(?:may not|not allowed to) (?:use|access) (?:this |the )?model",
    re.I,
)
# Google and xAI refuse a wrong API key with 400.
_BAD_KEY = re.compile(r"^(?:api key not valid|api key expired|incorrect api key provided)\b", re.I)
_NO_STREAM = re.compile(r"verified to stream", re.I)
_NO_IMAGES = re.compile(r"tool choice 'image_generation' not found", re.I)  # the account may not use the tool
_NO_SCOPE = re.compile(r"missing scopes?:|insufficient permissions for this operation", re.I)
_NO_FUNDS = re.compile(
    r"insufficient (?:balance|quota|credit|funds)|used all available credits|spending limit"
    r"|doesn't have any credits|credit limit exceeded|no resource package",
    re.I,
)
_USED_UP = re.compile(rf"usage limit|{_NO_FUNDS.pattern}", re.I)
_RATE_WORDS = re.compile(r"rate limit", re.I)
_CONCURRENT = re.compile(r"concurren|parallel requests", re.I)
_TOO_LARGE = re.compile(r"request too large", re.I)
_LOADED = re.compile(r"at capacity|overloaded|loading model|high traffic", re.I)
_UNKNOWN_FIELD = re.compile(
    r"unsupported parameter|extra inputs are not permitted|extra_forbidden|unknown name \""
    r"|property '[^']{1,80}' is unsupported|organization has been restricted",
    re.I,
)
_NO_OBJECT = re.compile(
    r"with id|\bno such\b|(?:response|file|conversation|item|batch) .{0,120}not found", re.I
)

_PLAIN = frozenset({BodyShape.ENVELOPE, BodyShape.TEXT, BodyShape.JSON})
_HTML = frozenset({BodyShape.HTML})
_BARE = frozenset({BodyShape.HTML, BodyShape.EMPTY})
_ENVELOPE = frozenset({BodyShape.ENVELOPE})
_STATUS = frozenset({Part.STATUS})
_ANY_STATUS = range(400, 600)


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table. Empty or None fits all; *codes* are compared with the error's code and type."""

    failure: Failure
    statuses: Sequence[int] = _ANY_STATUS
    codes: frozenset[str] = frozenset()
    words: re.Pattern[str] | None = None
    shapes: frozenset[BodyShape] = frozenset()
    limited_by_model: bool = False  # only for kinds with `Kind.limits_by_model`
    parts: frozenset[Part] = frozenset()
    wait: Wait | None = None
    names_model: bool = False  # the message contains the model of the request
    of_family: bool = False  # the headers name a limit other than the account's main one
    repeated: bool | None = None  # whether the request contains the words too, so the caller wrote them
    sent: bool | None = None  # whether the request may have reached the upstream
    error: type[UpstreamError] = UpstreamRejected
    seconds: float | None = None  # replaces the default of the failure

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of account that the row applies to, in order; empty: all."""
        return KINDS_LIMITED_BY_MODEL if self.limited_by_model else ()

    @property
    def status_text(self) -> str:
        """Return the statuses as text: `any`, `401` or `402 403`; `-` for errors without a status."""
        if self.error is not UpstreamRejected:
            return "-"
        if self.statuses == _ANY_STATUS:
            return "any"
        if isinstance(self.statuses, range):
            return f"{self.statuses.start}-{self.statuses.stop - 1}"
        listed = list(self.statuses)
        return " ".join(map(str, listed[:4])) + (" …" if len(listed) > 4 else "")

    @property
    def condition_text(self) -> str:
        """Return the other conditions as text."""
        conditions = ["" if self.error is UpstreamRejected else self.error.__name__]
        conditions += [" ".join(sorted(self.codes)), f"message ~ {self.words.pattern}" if self.words else ""]
        conditions += [
            f"wait {self.wait.value}" if self.wait else "",
            "names the model" if self.names_model else "",
        ]
        conditions += ["a limit of some models" if self.of_family else ""]
        conditions += [
            "" if self.repeated is None else f"words {'' if self.repeated else 'not '}of the request"
        ]
        conditions += ["" if self.sent is None else ("sent" if self.sent else "not sent")]
        return "; ".join(filter(None, conditions)) or "any"

    def fits(self, error: UpstreamError, kind: str, model: str) -> bool:
        """Return whether this row fits *error*, of an account of *kind* after a request for *model*."""
        if not isinstance(error, self.error) or (self.kinds and kind not in self.kinds):
            return False
        if isinstance(error, UpstreamUnreachable):
            return self.sent in (None, error.sent)
        if not isinstance(error, UpstreamRejected):
            return True
        return (
            self._has_status(error)
            and (not self.codes or bool(self.codes & _names(error)))
            and (not self.shapes or error.shape in self.shapes)
            and (not self.parts or _part(error) in self.parts)
            and (self.wait is None or _waits(error, self.wait))
            and (not self.of_family or bool(error.limit_family))
            and (not self.names_model or (bool(model) and model in error.message))
            and (self.words is None or self._has_words(self.words, error))
        )

    def _has_status(self, error: UpstreamRejected) -> bool:
        """Return whether the status fits. A stream event has none: if a row lists codes, these decide."""
        return _status(error) in self.statuses or (bool(self.codes) and _part(error) is Part.STREAM)

    def _has_words(self, words: re.Pattern[str], error: UpstreamRejected) -> bool:
        match = words.search(error.message)
        return match is not None and self.repeated in (None, error.echoes_request(match.group()))


RULES: tuple[Rule, ...] = (
    Rule(Failure.DIFFERS, error=ResponsesDiffer),
    Rule(Failure.CUT, error=StreamIncomplete),
    Rule(Failure.SLOW, error=StreamIdleTimeout),
    Rule(Failure.GARBLED, error=StreamEventTooLarge),
    Rule(Failure.GARBLED, error=UpstreamProtocolError),
    Rule(Failure.REDIRECTED, error=UpstreamRedirected),
    Rule(Failure.DEADLINE, error=UpstreamTimeout),
    Rule(Failure.ENDPOINT_MISSING, error=EndpointMissing),
    Rule(Failure.RESET, error=UpstreamUnreachable, sent=True),
    Rule(Failure.UNREACHABLE, error=UpstreamUnreachable, sent=False),
    # Errors of this request, by code.
    Rule(Failure.CALLER, codes=_PROMPT),
    # Credentials that are refused permanently; a key that only lacks a scope is not.
    Rule(Failure.UNSUPPORTED, (401, 403), words=_NO_SCOPE),
    Rule(Failure.CREDENTIAL, range(400, 500), codes=GONE, shapes=_PLAIN),
    Rule(Failure.CREDENTIAL, (400,), words=_BAD_KEY, shapes=_PLAIN, repeated=False),
    # Errors of this request, by message.
    Rule(Failure.CALLER, (402, 403), words=_FLAGGED, shapes=_PLAIN),
    Rule(Failure.CALLER, (402,), words=_TOO_EXPENSIVE, shapes=_PLAIN),
    # Errors of this model at this account.
    Rule(Failure.UNSUPPORTED, (400, 403), words=_NO_STREAM),
    Rule(Failure.UNSUPPORTED, (400,), words=_NO_IMAGES),
    Rule(Failure.MODEL_MISSING, range(400, 500), codes=_MODEL),
    Rule(Failure.MODEL_MISSING, (403,), words=_NO_MODEL, shapes=_PLAIN),
    Rule(Failure.MODEL_MISSING, (400, 404, 422), words=_NO_MODEL, shapes=_PLAIN, repeated=False),
    Rule(Failure.UNSUPPORTED, (400, 404, 422), words=_NO_MODEL, shapes=_PLAIN, repeated=True),
    Rule(Failure.UNSUPPORTED, (429,), words=_TOO_LARGE),
    Rule(Failure.MODEL_LIMITED, (429,), of_family=True),
    Rule(Failure.MODEL_LIMITED, (429,), codes=frozenset({"usage_not_included"}), seconds=600.0),
    # Used up: rate limits, usage windows, credit, capacity.
    Rule(Failure.BURST_LIMITED, (402,), wait=Wait.NAMED),
    Rule(Failure.MODEL_LIMITED, (429,), words=_RATE_WORDS, names_model=True),
    Rule(Failure.PAYMENT_REQUIRED, codes=_UNPAID, wait=Wait.UNKNOWN),
    Rule(Failure.WINDOW_SPENT, codes=_SPENT | _UNPAID),
    Rule(Failure.PAYMENT_REQUIRED, (402, 403, 429), words=_NO_FUNDS, shapes=_PLAIN, wait=Wait.UNKNOWN),
    Rule(Failure.WINDOW_SPENT, (402, 403, 429), words=_USED_UP, shapes=_PLAIN),
    Rule(Failure.PAYMENT_REQUIRED, (402,), shapes=_PLAIN),
    Rule(Failure.OVERLOADED, codes=_OVERLOAD),
    Rule(Failure.OVERLOADED, (429, *range(500, 600)), words=_LOADED, shapes=_PLAIN),
    Rule(Failure.OVERLOADED, (498, 529)),
    Rule(Failure.UNSUPPORTED, (413,)),
    Rule(Failure.WINDOW_SPENT, (429,), wait=Wait.LONG),
    Rule(Failure.BURST_LIMITED, (429,), words=_CONCURRENT),
    Rule(Failure.BURST_LIMITED, (429,), shapes=_HTML),
    Rule(Failure.MODEL_LIMITED, (429,), limited_by_model=True),
    Rule(Failure.BURST_LIMITED, (429,)),
    Rule(Failure.BURST_LIMITED, codes=_RATE, parts=frozenset({Part.STREAM})),
    # Authentication and permission.
    Rule(Failure.BLOCKED, (401,), shapes=_HTML),
    Rule(Failure.CREDENTIAL, (401,)),
    Rule(Failure.UNSUPPORTED, (403,), codes=_UNSUPPORTED),
    Rule(Failure.BLOCKED, (402, 403)),
    # Addresses.
    Rule(Failure.CALLER, (404,), words=_NO_OBJECT, shapes=_ENVELOPE),
    Rule(Failure.ENDPOINT_MISSING, (404, 405, 501), parts=_STATUS),
    # Other statuses of requests and servers.
    Rule(Failure.UNSUPPORTED, range(400, 500), codes=_UNSUPPORTED),
    Rule(Failure.UNSUPPORTED, (400, 422), words=_UNKNOWN_FIELD),
    Rule(Failure.SERVER_ERROR, (408, 425)),
    Rule(Failure.SERVER_ERROR, range(500, 600)),
    Rule(Failure.BLOCKED, range(400, 500), shapes=_BARE, parts=_STATUS),
    Rule(Failure.CALLER, range(400, 500)),
    Rule(Failure.SERVER_ERROR, error=UpstreamError),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A failure and its consequence; *seconds* until it is over, unless the upstream names an end."""

    failure: Failure
    consequence: Consequence
    seconds: float | None


def judge(error: UpstreamError, kind: str = "", model: str = "") -> Verdict:
    """Return the verdict on *error*, of an account of *kind* after a request for *model* ('': unknown)."""
    rule = next(rule for rule in RULES if rule.fits(error, kind, model))
    consequence = CONSEQUENCES[rule.failure]
    return Verdict(rule.failure, consequence, consequence.seconds if rule.seconds is None else rule.seconds)


def classify(error: UpstreamError) -> Failure:
    """Return the class of *error*, of an account of whichever kind."""
    return judge(error).failure


def is_closed(error: UpstreamError) -> bool:
    """
    Return whether *error* proves that the account itself is gone, and not only a key or token.

    This is all that a response to a background query proves: endpoints of lists and usage have had
    outages in which they answered 401 and 403.
    """
    return isinstance(error, UpstreamRejected) and bool(CLOSED & _names(error))


def _status(error: UpstreamRejected) -> int:
    """Return the upstream's status; for an impossible one, such as 999, the status that callers receive."""
    status = error.upstream_status
    return status if status is not None and status in _ANY_STATUS else error.status


def _names(error: UpstreamRejected) -> set[str]:
    return {name.lower() for name in (error.code, error.type) if name}


def _part(error: UpstreamRejected) -> Part:
    return Part.STREAM if error.upstream_status is None else Part.STATUS


def _waits(error: UpstreamRejected, wait: Wait) -> bool:
    seconds = error.retry_after_seconds
    if wait is Wait.NAMED:
        return seconds is not None
    if wait is Wait.UNKNOWN:
        return seconds is None and error.resets_at is None
    return error.resets_at is not None or (seconds or 0.0) > LONG_RESET_SECONDS
