"""The error for a request that no account could serve: with the time to try again, if any."""

from __future__ import annotations

from typing import Any

from app.errors import (
    AccountsStopped,
    CredentialUnreadable,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    NoAccounts,
    PoolLimited,
    PoolSpent,
    PoolUnpaid,
)
from app.formatting import duration
from app.stores.records.accounts import AccountState
from app.stores.records.admission import AccountsRefusal, Obstacle

# No wait makes these accounts available.
UNUSABLE = (Obstacle.MISSING, Obstacle.PAUSED, Obstacle.DEAD, Obstacle.UNREADABLE, Obstacle.UNPAID)
BUSY_RETRY_SECONDS = 2.0  # while accounts are full: a request may end at any time


def no_account_error(
    refused: AccountsRefusal, now_ms: float, native_field: str | None = None
) -> GatewayError:
    """
    Return the error for a request that no account could serve.

    *native_field* is the field of the request that made some accounts ineligible.
    """
    missing, fitting = refused.able.get(Obstacle.MISSING, 0), sum(refused.able.values())
    if refused.total == 0:
        return AccountsStopped("No upstream accounts are configured in this pool")
    if native_field and not refused.is_offered:
        return InvalidRequest(f"No account of this pool can honour '{native_field}'", param=native_field)
    if not refused.is_model_known or (missing and missing == fitting):
        message = f"The model '{refused.model}' does not exist, or no account of this pool may use it"
        return ModelNotFound(message, param="model")
    if not refused.is_offered:  # only accounts of other kinds, or not allowed for the key, have it
        message = f"No account that may serve this request offers the model '{refused.model}'"
        return ModelNotFound(message, param="model")
    if spent := pool_spent_error(refused, now_ms):
        return spent
    return _unavailable_error(refused, now_ms)


def pool_spent_error(
    refused: AccountsRefusal, now_ms: float, extra: dict[str, Any] | None = None
) -> PoolSpent | None:
    """Return the error if all eligible accounts of the pool have used up their limits, else None."""
    usable = set(refused.able) - set(UNUSABLE)
    if not usable and refused.able.get(Obstacle.UNPAID):
        return PoolUnpaid(extra)
    if usable != {Obstacle.SPENT}:
        return None
    if not refused.resets_ms:
        return PoolSpent(None, None, extra)
    return PoolSpent(max(0.0, (refused.resets_ms - now_ms) / 1000), refused.resets_ms / 1000, extra)


def _unavailable_error(refused: AccountsRefusal, now_ms: float) -> GatewayError:
    wait = refused.wait_ms / 1000
    usable = {reason: count for reason, count in refused.able.items() if reason not in UNUSABLE}
    if not usable and refused.able.get(Obstacle.UNREADABLE):
        return CredentialUnreadable()
    if not usable and (stopped := _stopped_accounts(refused)):
        return AccountsStopped(stopped)
    if usable.get(Obstacle.BUSY) and not usable.get(Obstacle.FAILING):
        message = "No upstream account has room for this model just now"
        if refused.is_queue_full:
            message += ", and as many requests as may wait for one do so already"
        return PoolLimited(message, retry_after_seconds=BUSY_RETRY_SECONDS)
    if usable.get(Obstacle.LIMITED) and not usable.get(Obstacle.FAILING):
        message = "Every upstream account is at its rate limit for this model"
        return PoolLimited(_with_wait(message, wait), retry_after_seconds=wait or BUSY_RETRY_SECONDS)
    if usable and set(usable) == {Obstacle.FAILING} and refused.states.get(AccountState.ACTIVE):
        message = "This model is overloaded or failing at every upstream account"
        return NoAccounts(_with_wait(message, wait), retry_after_seconds=wait or None)
    states = ", ".join(
        f"{count} {state.replace('_', ' ')}" for state, count in sorted(refused.states.items())
    )
    return NoAccounts(
        f"No upstream account is available: {states}",
        retry_after_seconds=wait or None,
        resets_at=(now_ms / 1000 + wait) if wait else None,
    )


def _stopped_accounts(refused: AccountsRefusal) -> str:
    """Return a sentence about the accounts that only an operator can make available; '' if there are none."""
    reasons = {Obstacle.PAUSED: "are paused", Obstacle.DEAD: "need a new sign-in or key"}
    stopped = {
        words: refused.able[obstacle] for obstacle, words in reasons.items() if obstacle in refused.able
    }
    if not stopped:
        return ""
    which = "" if sum(stopped.values()) == refused.total else " that could serve this request"
    return f"All upstream accounts{which} {' or '.join(stopped)}"


def _with_wait(message: str, seconds: float) -> str:
    return f"{message}; try again in {duration(seconds)}" if seconds else message
