"""
What went wrong at an account, and what that does to it: one table, as data.

The client's own mistakes, a client that left and our own time-outs of patience never count
against an account. What the upstream said of itself is believed until its end; what we only
suspect is soft, and the store lets suspicion keep out a quarter of a pool at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.errors import (
    AnswersDiffer,
    EndpointMissing,
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
from schemas.bounds import MAX_WAIT_SECONDS


class Failure(StrEnum):
    UNREACHABLE = "unreachable"  # no connection: nothing was sent
    RESET = "reset"  # sent, then the connection broke without a status
    SLOW = "slow"  # our patience ended, not the upstream's
    BURST_LIMITED = "burst_limited"  # too many at once: over in seconds
    WINDOW_SPENT = "window_spent"  # nothing left until a reset
    CREDENTIAL = "credential"  # the key or token is refused
    OVERLOADED = "overloaded"  # the model is, not this account
    MODEL_MISSING = "model_missing"  # this account does not have the model
    ENDPOINT_MISSING = "endpoint_missing"  # its server does not have what was asked for
    SERVER_ERROR = "server_error"
    CUT = "cut"  # the stream ended in the middle
    DIFFERS = "differs"  # the answer is fine, but does not go on with one that was cut
    GARBLED = "garbled"  # bytes that are not the protocol
    REDIRECTED = "redirected"  # the base URL of the account is wrong
    CALLER = "caller"  # the request itself is wrong
    DEADLINE = "deadline"  # our deadline over all attempts


_SPENT_CODES = {"insufficient_quota", "usage_not_included", "quota_exceeded", "usage_limit_reached"}
_OVERLOAD_CODES = {"server_is_overloaded", "overloaded_error", "slow_down", "model_at_capacity"}
_DEAD_CODES = {
    "account_deactivated",
    "account_suspended",
    "account_deleted",
    "refresh_token_expired",
    "refresh_token_reused",
    "refresh_token_invalidated",
    "invalid_api_key",
    "invalid_authentication",
    "token_invalidated",
    "token_expired",
    "app_session_terminated",
    "authentication_error",
}
LONG_RESET_SECONDS = 90.0  # a 429 that ends later than this is a spent window, not a burst


def classify(error: UpstreamError) -> Failure:
    """Return the class of *error*."""
    if isinstance(error, UpstreamRejected):
        return _classify_rejection(error)
    for kind, failure in (
        (AnswersDiffer, Failure.DIFFERS),
        (EndpointMissing, Failure.ENDPOINT_MISSING),
        (StreamIncomplete, Failure.CUT),
        (StreamIdleTimeout, Failure.SLOW),
        (StreamEventTooLarge, Failure.GARBLED),
        (UpstreamProtocolError, Failure.GARBLED),
        (UpstreamRedirected, Failure.REDIRECTED),
        (UpstreamTimeout, Failure.DEADLINE),
    ):
        if isinstance(error, kind):
            return failure
    if isinstance(error, UpstreamUnreachable):
        return Failure.RESET if error.sent else Failure.UNREACHABLE
    return Failure.SERVER_ERROR


def _classify_rejection(error: UpstreamRejected) -> Failure:
    status = error.upstream_status or error.status
    codes = {error.code, error.type}
    if codes & _SPENT_CODES:
        return Failure.WINDOW_SPENT
    if (
        status == 401
        or codes & _DEAD_CODES
        or (status in (402, 403) and error.code not in ("content_filter",))
    ):
        return Failure.CREDENTIAL
    if codes & _OVERLOAD_CODES or "at capacity" in error.message:
        return Failure.OVERLOADED
    if status == 429 or codes & {"rate_limit_exceeded", "rate_limit_error"}:
        if error.resets_at is not None or (error.retry_after_seconds or 0.0) > LONG_RESET_SECONDS:
            return Failure.WINDOW_SPENT  # only the end of a window has a date
        return Failure.BURST_LIMITED
    if error.code == "model_not_found" or "model is not supported" in error.message:
        return Failure.MODEL_MISSING
    if status >= 500:
        return Failure.SERVER_ERROR
    return Failure.CALLER


@dataclass(frozen=True, slots=True)
class Belief:
    """What a failure makes us believe of its account; None in the table: nothing."""

    state: str
    default_seconds: float  # when the upstream names no end
    person_needed: bool = False


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Out for `base · 2^(streak-1)` seconds, `most` at most; then one request is a test."""

    base_seconds: float = 1.0
    most_seconds: float = 20.0


CONSEQUENCES: dict[Failure, Belief | Suspicion | None] = {
    Failure.UNREACHABLE: Suspicion(),
    Failure.RESET: Suspicion(),
    Failure.SLOW: None,
    Failure.BURST_LIMITED: Belief("burst_limited", default_seconds=2.0),
    Failure.WINDOW_SPENT: Belief("window_spent", default_seconds=600.0),
    Failure.CREDENTIAL: Belief("credential_dead", default_seconds=0.0, person_needed=True),
    Failure.OVERLOADED: Belief("overloaded", default_seconds=5.0),
    Failure.MODEL_MISSING: Belief("overloaded", default_seconds=300.0),
    Failure.ENDPOINT_MISSING: None,
    Failure.SERVER_ERROR: Suspicion(),
    Failure.CUT: Suspicion(),
    Failure.DIFFERS: None,
    Failure.GARBLED: Suspicion(),
    Failure.REDIRECTED: Suspicion(),
    Failure.CALLER: None,
    Failure.DEADLINE: None,
}

OK: dict[str, Any] = {"ok": True}


def mark_for(
    error: UpstreamError, model: str, now: float, windows: list[list[float] | None] | None = None
) -> dict[str, Any]:
    """Return the mark that *error* leaves on its account, as the store's `apply_mark` reads it."""
    failure = classify(error)
    consequence = CONSEQUENCES[failure]
    mark: dict[str, Any] = {"windows": windows} if windows else {}
    if consequence is None:
        return mark
    if isinstance(consequence, Suspicion):
        return mark | {
            "soft": True,
            "reason": failure.value,
            "base_ms": int(consequence.base_seconds * 1000),
            "most_ms": int(consequence.most_seconds * 1000),
        }
    wait = _told_wait(error, now) or consequence.default_seconds
    if consequence.state == "overloaded":
        return mark | {"model": model, "wait_ms": int(wait * 1000)}
    wait_ms = 0 if consequence.person_needed else int(wait * 1000)
    mark |= {
        "state": consequence.state,
        "reason": f"{error.code or failure.value}"[:80],
        "wait_ms": wait_ms,
    }
    # when a spent window is tested again is the store's to say; a burst is over when it is over
    return mark if failure is Failure.WINDOW_SPENT else mark | {"retest_wait_ms": wait_ms}


def _told_wait(error: UpstreamError, now: float) -> float:
    """What the upstream asked for, 0 if nothing. *now* in Unix seconds, for one that named the hour."""
    if error.retry_after_seconds is not None:
        return error.retry_after_seconds
    wait = max(0.0, error.resets_at - now) if error.resets_at is not None else 0.0
    return wait if wait <= MAX_WAIT_SECONDS else 0.0
