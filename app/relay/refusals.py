"""What admission refused, as an error that says what to do: wait, ask for less, or call somebody."""

from __future__ import annotations

import math
from typing import Any

from app.errors import (
    GatewayError,
    InvalidApiKey,
    InvalidRequest,
    NeverFits,
    NoAccounts,
    QuotaExceeded,
    StoreUnavailable,
)

HELD_RETRY_SECONDS = 2.0  # others hold it: nobody knows when they end, so ask again soon
WORDS = {
    "requests": "requests",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "total_tokens": "tokens",
    "cost": "micro-dollars of cost",
    "parallel_requests": "parallel requests",
}


def refusal(reply: dict[str, Any], *, native_field: str | None) -> GatewayError:
    """Return the error for an admission's *reply*; *native_field* made some accounts unfit."""
    match reply["refused"]:
        case "limit":
            return _over_limit(reply)
        case "no_accounts":
            return _nobody(reply, native_field)
        case "key":
            return InvalidApiKey(f"This API key is {reply['why']}")
    return StoreUnavailable("The gateway and its store do not agree on the time", retry_after_seconds=1)


def _over_limit(reply: dict[str, Any]) -> QuotaExceeded:
    limit, amount = reply["limit"], reply["amount"]
    name = f"{limit['max']} {WORDS[limit['what']]}"
    if limit["per"] not in ("none", "ever"):
        name += f" per {limit['per']}"
    if limit.get("model"):
        name += f" for {limit['model']}"
    owner = "This API key's" if limit.get("scope") != "pool" else "The pool's"
    standing = f"{reply['settled']} used, {reply['held']} held by running requests, {amount} asked for"
    match reply["why"]:
        case "never":
            return NeverFits(
                f"{owner} limit of {name} can never fit this request, which may use up to {amount}; "
                "ask for less, for instance with a smaller max output"
            )
        case "unbounded":
            return NeverFits(
                f"{owner} limit of {name} is strict and this request has no bound; "
                "set max_output_tokens (chat: max_completion_tokens) or give the model a price"
            )
        case "held":
            return QuotaExceeded(
                f"{owner} limit of {name} is held by other requests just now ({standing}); try again shortly",
                retry_after_seconds=HELD_RETRY_SECONDS,
            )
    if not reply["wait_ms"]:
        return QuotaExceeded(f"{owner} limit of {name} is spent ({standing}) and does not reset")
    wait = reply["wait_ms"] / 1000
    return QuotaExceeded(
        f"{owner} limit of {name} is spent ({standing}); there is room in {math.ceil(wait)} s",
        retry_after_seconds=wait,
        resets_at=reply["now"] / 1000 + wait,
    )


def _nobody(reply: dict[str, Any], native_field: str | None) -> GatewayError:
    states: dict[str, int] = reply["states"] or {}
    total = reply["total"]
    wait = reply["wait_ms"] / 1000
    if total == 0:
        return NoAccounts("No upstream accounts are configured in this pool")
    if native_field and not reply["offered"]:
        return InvalidRequest(f"No account of this pool can honour '{native_field}'", param=native_field)
    if states.get("paused") == total:
        return NoAccounts("All upstream accounts are paused")
    if states.get("credential_dead") == total:
        return NoAccounts("All upstream accounts need a new sign-in or key")
    if states.get("active") and wait and _all_overloaded(reply):
        return NoAccounts("This model is overloaded at every upstream account", retry_after_seconds=wait)
    if states.get("active"):
        return NoAccounts(
            "No upstream account has room for this model just now", retry_after_seconds=HELD_RETRY_SECONDS
        )
    told = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(states.items()))
    return NoAccounts(
        f"No upstream account is available: {told}",
        retry_after_seconds=wait or None,
        resets_at=(reply["now"] / 1000 + wait) if wait else None,
    )


def _all_overloaded(reply: dict[str, Any]) -> bool:
    looked_at = [why for _, score, why in reply.get("seen") or () if score is not False]
    return bool(looked_at) and set(looked_at) == {"overloaded"}
