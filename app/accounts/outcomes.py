"""Outcomes: how a response changes the state of its account, as `apply_outcome` in Lua reads it."""

from __future__ import annotations

from app.accounts.failures import CONSEQUENCES, SUSPECT_BASE_SECONDS, SUSPECT_MAX_SECONDS, Failure, Scope
from app.accounts.verdicts import Verdict, judge
from app.errors import UpstreamError
from app.stores.records.accounts import AccountOutcome, ModelState
from schemas.bounds import MAX_WAIT_SECONDS

OK: AccountOutcome = {"ok": True}
# Codes that do not explain why an account is unavailable.
GENERIC_CODES = ("", "invalid_request_error", "upstream_error")


def outcome_from_error(error: UpstreamError, model: str, now: float, *, kind: str = "") -> AccountOutcome:
    """
    Return the outcome of a request for *model* that failed with *error* at an account of *kind*.

    *now* is in Unix seconds, for an upstream that names a date.
    """
    verdict = judge(error, kind, model)
    consequence = verdict.consequence
    if consequence.scope is Scope.REQUEST:
        return {}
    if consequence.is_suspicion:
        return suspected_outcome(verdict.failure, model)
    wait_ms = int(1000 * (_named_wait(error, now) or verdict.seconds or 0.0))
    if consequence.model_state is not None:
        return {
            "model": model,
            "why": consequence.model_state.value,
            "wait_ms": _model_wait(verdict, wait_ms),
        }
    assert consequence.state is not None
    if verdict.seconds is None:
        wait_ms = 0
    outcome: AccountOutcome = {
        "state": consequence.state.value,
        "reason": _reason(error),
        "wait_ms": wait_ms,
    }
    if consequence.scope is Scope.WINDOW:
        return outcome  # the store decides when the account is tested again
    outcome["retest_wait_ms"] = wait_ms  # a burst limit is not tested before it ends
    # If several credentials are refused at once, the store only suspects this account.
    return outcome | _suspected_for(model) if consequence.scope is Scope.CREDENTIAL else outcome


def _reason(error: UpstreamError) -> str:
    """Return what a state does not contain: the upstream's code, else its status, else ''."""
    code = error.recorded_code
    if code is not None and code not in GENERIC_CODES:
        return code
    return f"status {error.upstream_status}" if error.upstream_status else ""


def suspected_outcome(failure: Failure, model: str) -> AccountOutcome:
    """Return the outcome by which the store suspects an account, and tests it again within seconds."""
    return {"soft": True, "reason": failure.value, **_suspected_for(model)}


def _suspected_for(model: str) -> AccountOutcome:
    return {
        "asked": model,
        "base_ms": int(SUSPECT_BASE_SECONDS * 1000),
        "most_ms": int(SUSPECT_MAX_SECONDS * 1000),
    }


def _model_wait(verdict: Verdict, wait_ms: int) -> int:
    """Return the wait in ms; for a missing model always MISSING_SECONDS."""
    if verdict.consequence.model_state is ModelState.MISSING:
        return int(1000 * (CONSEQUENCES[verdict.failure].seconds or 0.0))
    return wait_ms


def _named_wait(error: UpstreamError, now: float) -> float:
    """Return the wait in seconds that the upstream names, 0 if it names none."""
    if error.retry_after_seconds is not None:
        return error.retry_after_seconds
    wait = max(0.0, error.resets_at - now) if error.resets_at is not None else 0.0
    return wait if wait <= MAX_WAIT_SECONDS else 0.0
