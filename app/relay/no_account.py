"""Why no account could serve a request, as an error that says when or whether to try again."""

from __future__ import annotations

from typing import Any

from app.errors import (
    CredentialUnreadable,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    NoAccounts,
    PoolLimited,
    PoolSpent,
)
from app.formatting import duration

UNUSABLE = ("missing", "paused", "dead", "unreadable")  # no wait brings these accounts back
BUSY_RETRY_SECONDS = 2.0  # accounts are full: other requests may end at any time


def absence(reply: dict[str, Any], native_field: str | None = None) -> GatewayError:
    """
    Return the error for a *reply* of the store that no account could serve.

    *native_field* is the field of the request that made some accounts unfit.
    """
    able: dict[str, int] = reply.get("able") or {}
    missing, fitting = able.get("missing", 0), sum(able.values())
    if reply["total"] == 0:
        return NoAccounts("No upstream accounts are configured in this pool")
    if native_field and not reply["offered"]:
        return InvalidRequest(f"No account of this pool can honour '{native_field}'", param=native_field)
    if not reply.get("known", True) or (missing and missing == fitting):
        model = reply.get("model", "")
        message = f"The model '{model}' does not exist, or no account of this pool may use it"
        return ModelNotFound(message, param="model")
    if not reply["offered"]:  # other accounts have it: not of the kind, or not for the key, that was named
        message = f"No account that may serve this request offers the model '{reply.get('model', '')}'"
        return ModelNotFound(message, param="model")
    if spent := pool_spent(reply):
        return spent
    return _unavailable(reply, able)


def pool_spent(reply: dict[str, Any], extra: dict[str, Any] | None = None) -> PoolSpent | None:
    """Return the error of a pool whose fitting accounts have all used up their limits; else None."""
    able: dict[str, int] = reply.get("able") or {}
    usable = {what for what in able if what not in UNUSABLE}
    if usable != {"spent"}:
        return None
    now, resets_ms = reply["now"], reply.get("resets_ms") or 0
    wait = max(0.0, (resets_ms - now) / 1000) if resets_ms else None
    return PoolSpent(wait, resets_ms / 1000 if resets_ms else None, extra)


def _unavailable(reply: dict[str, Any], able: dict[str, int]) -> GatewayError:
    wait = reply["wait_ms"] / 1000
    usable = {what: count for what, count in able.items() if what not in UNUSABLE}
    if not usable and able.get("unreadable"):
        return CredentialUnreadable()
    if not usable and able.get("dead"):
        return NoAccounts("All upstream accounts need a new sign-in or key")
    if not usable and able.get("paused"):
        return NoAccounts("All upstream accounts are paused")
    if usable.get("busy") and not usable.get("failing"):
        message = "No upstream account has room for this model just now"
        return PoolLimited(message, retry_after_seconds=BUSY_RETRY_SECONDS)
    if usable.get("limited") and not usable.get("failing"):
        message = "Every upstream account is at its rate limit for this model"
        return PoolLimited(_with_wait(message, wait), retry_after_seconds=wait or BUSY_RETRY_SECONDS)
    if usable and set(usable) == {"failing"} and (reply["states"] or {}).get("active"):
        message = "This model is overloaded or failing at every upstream account"
        return NoAccounts(_with_wait(message, wait), retry_after_seconds=wait or None)
    states: dict[str, int] = reply["states"] or {}
    listed = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(states.items()))
    return NoAccounts(
        f"No upstream account is available: {listed}",
        retry_after_seconds=wait or None,
        resets_at=(reply["now"] / 1000 + wait) if wait else None,
    )


def _with_wait(message: str, seconds: float) -> str:
    return f"{message}; try again in {duration(seconds)}" if seconds else message
