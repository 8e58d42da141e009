"""
What to do about a failure: one table, failure × phase, as data.

Before the first visible event another account may answer. After it another one may continue, but
only where the caller opted in and its response begins with exactly what was delivered.
"""

from __future__ import annotations

import random
from enum import StrEnum

from app.accounts.failures import CallerError, Failure
from app.accounts.verdicts import Verdict
from app.errors import BodyShape, EndpointMissing, UpstreamError, UpstreamRejected
from app.stores.records.ledger import Action


class Phase(StrEnum):
    """Whether the client has received a part of the response."""

    BEFORE = "before"
    AFTER = "after"


TABLE: dict[Failure, tuple[Action, Action]] = {
    # failure                before             after
    Failure.UNREACHABLE: (Action.OTHER_ACCOUNT, Action.RESTART),
    # The failed account may have begun, and bill, the request
    Failure.RESET: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.SLOW: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.BURST_LIMITED: (Action.OTHER_ACCOUNT, Action.RESTART),
    Failure.MODEL_LIMITED: (Action.OTHER_ACCOUNT, Action.RESTART),
    Failure.WINDOW_SPENT: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.PAYMENT_REQUIRED: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.CREDENTIAL: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.OVERLOADED: (Action.OTHER_ACCOUNT, Action.RESTART),
    Failure.MODEL_MISSING: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.ENDPOINT_MISSING: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.UNSUPPORTED: (Action.OTHER_ONCE, Action.FAIL),
    Failure.BLOCKED: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.SERVER_ERROR: (Action.OTHER_ACCOUNT, Action.RESTART),
    Failure.CUT: (Action.OTHER_ACCOUNT, Action.RESTART),
    Failure.DIFFERS: (Action.FAIL, Action.FAIL),
    Failure.GARBLED: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.REDIRECTED: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.CALLER: (Action.FAIL, Action.FAIL),
    Failure.DEADLINE: (Action.FAIL, Action.FAIL),
}

CORE = ("chat", "responses")  # protocols that every account serves: a missing one is an outage
MAX_ATTEMPTS = 8  # upstream requests per request, over all its models
MAX_TRIES = 6  # upstream requests at one model
# The same, within FIRST_SECONDS of the first, so that retries do not amplify an outage
MAX_TRIES_AT_FIRST = 4
FIRST_SECONDS = 3.0
RESERVED_FOR_FALLBACKS = 2  # attempts reserved for fallbacks that may still follow
MAX_RESTARTS = 1  # how often one model may continue a stream that broke off
MAX_WAIT_SECONDS = 10.0  # total of the waits for resting accounts; a longer one is left to the caller
WITH_FALLBACKS_SECONDS = 2.5  # total of all waits while later models are left, admission included
WAKE_JITTER = 0.25  # by which share a wait is extended at most, so that requests do not return at once
BUSY_POLL_SECONDS = 0.25  # the first pause until an account that has no free slot is selected again
MAX_BUSY_POLL_SECONDS = 2.0  # the longest one: they double
PERMIT_POLL_SECONDS = 0.1  # between two checks of the retry budget
ENDS_AFTER_REST = (Failure.BURST_LIMITED, Failure.MODEL_LIMITED, Failure.OVERLOADED)
REFUSALS_OF_ACCOUNTS = (401, 403)  # statuses by which clients conclude that their own key is refused
PAUSE_BASE_SECONDS = 0.2  # before the same account is tried again: full jitter, doubling
PAUSE_MAX_SECONDS = 4.0


def decide(failure: Failure, phase: Phase) -> Action:
    """Return what follows *failure* in *phase*."""
    return TABLE[failure][0 if phase is Phase.BEFORE else 1]


def pause_seconds(attempt: int, error: UpstreamError, chance: random.Random) -> float:
    """Return the seconds before the same account is tried again: its own retry-after, if it sent one."""
    if error.retry_after_seconds is not None:
        return error.retry_after_seconds
    return chance.uniform(0, min(PAUSE_MAX_SECONDS, PAUSE_BASE_SECONDS * 2 ** (attempt - 1)))


def for_client(error: UpstreamError, verdict: Verdict, client_protocol: str, model: str) -> UpstreamError:
    """
    Return *error*, judged as *verdict*, as the client that requested *model* receives it.

    What an account of the pool may not do is no refusal of the client's key, so a 401 or 403 that does not
    concern the request itself becomes a 502, with the upstream's message, and its code unless that is about
    the credential. Where the upstream named no wait, the client receives the time that the account rests.
    """
    if not isinstance(error, UpstreamRejected):
        return error
    return _with_rest(_for_client(error, verdict, client_protocol, model), verdict)


def _with_rest(error: UpstreamError, verdict: Verdict) -> UpstreamError:
    """Return *error* with the time that the account or the model there rests, if *error* names no wait."""
    is_known = error.retry_after_seconds is not None or error.resets_at is not None
    if verdict.failure not in ENDS_AFTER_REST or is_known or not verdict.seconds:
        return error
    rested = error.with_message(error.message)
    rested.retry_after_seconds = verdict.seconds
    return rested


def _for_client(error: UpstreamRejected, verdict: Verdict, client_protocol: str, model: str) -> UpstreamError:
    caller_error = verdict.consequence.caller_error
    if caller_error is CallerError.ENDPOINT:
        if client_protocol not in CORE:
            return EndpointMissing(client_protocol, model)
        return UpstreamError(f"No account offers {client_protocol} at its base URL just now: {error.message}")
    if caller_error is CallerError.MODEL_NOT_FOUND:
        return _model_not_found(error)
    if caller_error is CallerError.GATEWAY:
        return UpstreamError(
            f"The upstream refused the gateway's own account for this request: {error.message}"
        )
    if verdict.failure is Failure.BLOCKED and error.shape is not BodyShape.ENVELOPE:
        return UpstreamError(f"Something in front of the upstream refused the request: {error.message}")
    if error.status in REFUSALS_OF_ACCOUNTS and verdict.failure is not Failure.CALLER:
        return _refused_account(error)
    return error


def _refused_account(error: UpstreamRejected) -> UpstreamRejected:
    """Return a 502 with the message and code of *error*, which concerns the account."""
    return UpstreamRejected(
        f"The upstream refused the gateway's own account for this request: {error.message}",
        status=UpstreamError.status,
        type=UpstreamError.type,
        code=error.code or UpstreamError.code,
        upstream_status=error.upstream_status,
        retry_after_seconds=error.retry_after_seconds,
    )


def _model_not_found(error: UpstreamRejected) -> UpstreamRejected:
    """Return a 404 `model_not_found`, whichever status and code the server uses for an unknown model."""
    return UpstreamRejected(
        error.message,
        status=404,
        type="invalid_request_error",
        code="model_not_found",
        upstream_status=error.upstream_status,
        param=error.param or "model",
    )
