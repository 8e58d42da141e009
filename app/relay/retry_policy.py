"""
What to do about a failure: one table, error class × stage, as data.

Before the first visible event another account may answer. After it another one may go on, but
only where the caller chose so and its answer begins with exactly what was delivered.
"""

from __future__ import annotations

import random
from enum import StrEnum

from app.accounts.failures import Failure, Reply
from app.accounts.verdicts import Verdict
from app.errors import BodyShape, EndpointMissing, UpstreamError, UpstreamRejected


class Stage(StrEnum):
    BEFORE = "before"  # nothing the client could see has been sent
    AFTER = "after"


class Action(StrEnum):
    OTHER_ACCOUNT = (
        "other"  # another account; one of those that failed again, after a pause, if there is no other
    )
    OTHER_ACCOUNT_ONLY = "other_only"  # another account or none: this one would answer the same again
    OTHER_ONCE = "other_once"  # one other account; where it agrees, that is the answer
    RESTART = "restart"  # another account, to go on with what was delivered, if the caller wants that
    FAIL = "tell"  # stop and tell the client


TABLE: dict[Failure, tuple[Action, Action]] = {
    # failure                before             after
    Failure.UNREACHABLE: (Action.OTHER_ACCOUNT, Action.RESTART),
    Failure.RESET: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),  # this one may have begun it, and bill it
    Failure.SLOW: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
    Failure.BURST_LIMITED: (Action.OTHER_ACCOUNT, Action.RESTART),
    Failure.MODEL_LIMITED: (Action.OTHER_ACCOUNT, Action.RESTART),
    Failure.WINDOW_SPENT: (Action.OTHER_ACCOUNT_ONLY, Action.RESTART),
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

CORE = ("chat", "responses")  # surfaces that every account serves: that they are missing is an outage
MAX_ATTEMPTS = 8  # upstream requests for one request, over all its models
MAX_TRIES = 6  # of them at one model
MAX_TRIES_AT_FIRST = 4  # of those in the first FIRST_SECONDS, so that a storm is not answered by a storm
FIRST_SECONDS = 3.0
KEPT_FOR_FALLBACKS = 2  # of MOST_ATTEMPTS, while so many of the caller's fallbacks may still follow
MAX_RESTARTS = 1  # at the same model, of a stream that was cut
MAX_WAIT_SECONDS = 10.0  # for accounts that rest, in all; a longer wait is the caller's to decide on
WAKE_JITTER = 0.25  # of a wait that many may share: at most so much longer
PERMIT_POLL_SECONDS = 0.1  # between two looks at the retry budget
PAUSE_BASE_SECONDS = 0.2  # before the same account is asked again: full jitter, doubling
PAUSE_MAX_SECONDS = 4.0


def decide(failure: Failure, stage: Stage) -> Action:
    return TABLE[failure][0 if stage is Stage.BEFORE else 1]


def pause_seconds(attempt: int, error: UpstreamError, chance: random.Random) -> float:
    """How long to wait before the same account is asked again; what it asked for, if it did."""
    if error.retry_after_seconds is not None:
        return error.retry_after_seconds
    return chance.uniform(0, min(PAUSE_MAX_SECONDS, PAUSE_BASE_SECONDS * 2 ** (attempt - 1)))


def for_client(error: UpstreamError, verdict: Verdict, surface: str, model: str) -> UpstreamError:
    """
    Return *error*, judged as *verdict*, as a client of *surface* who asked for *model* may see it.

    A refused credential of one of our accounts is not the client's: its key is fine.
    """
    if not isinstance(error, UpstreamRejected):
        return error
    reply = verdict.consequence.reply
    if reply is Reply.ENDPOINT:
        if surface not in CORE:
            return EndpointMissing(surface, model)
        return UpstreamError(f"No account offers {surface} at its base URL just now: {error.message}")
    if reply is Reply.MODEL_NOT_FOUND:
        return _model_not_found(error)
    if reply is Reply.GATEWAY:
        return UpstreamError(
            f"The upstream refused the gateway's own account for this request: {error.message}"
        )
    if verdict.failure is Failure.BLOCKED and error.shape is not BodyShape.ENVELOPE:
        return UpstreamError(f"Something in front of the upstream refused the request: {error.message}")
    return error


def _model_not_found(error: UpstreamRejected) -> UpstreamRejected:
    """Whatever status and code servers have for a model that they do not serve, callers receive one."""
    return UpstreamRejected(
        error.message,
        status=404,
        type="invalid_request_error",
        code="model_not_found",
        upstream_status=error.upstream_status,
        param=error.param or "model",
    )
