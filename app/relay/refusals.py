"""Admission refusals as errors that say what happened and what to do about it."""

from __future__ import annotations

from typing import Any

from app.errors import (
    GatewayError,
    InvalidApiKey,
    NeverFits,
    QuotaExceeded,
    StoreUnavailable,
    UpstreamError,
)
from app.formatting import duration
from app.relay.no_account import absence
from app.stores.records.limits import Limit, LimitScope, LimitUnit

HELD_RETRY_SECONDS = 2.0  # other requests hold it and may end at any time
MAX_CANDIDATES = 16  # that a recorded refusal names

RAISE_OR_ADD = (
    "raise the limit, make it balanced, or add an account that keeps lengths, such as an OpenAI API key"
)
ADD_SIZE = "set the model's maximum output (poolgate price set), or " + RAISE_OR_ADD


def refusal(reply: dict[str, Any], *, native_field: str | None) -> GatewayError:
    """Return the error for an admission's *reply*; *native_field* made some accounts unfit."""
    error = _error(reply, native_field)
    error.admission = admission_of(reply)
    return error


def not_tried_again(error: UpstreamError, reply: dict[str, Any]) -> UpstreamError:
    """Return *error*, what the last attempt met, with the limit in *reply* that had no room for another."""
    return error.with_message(f"{error.message}. It was not tried again: {_over_limit(reply).message}")


def admission_of(reply: dict[str, Any]) -> dict[str, Any]:
    """Return what of a refusing *reply* the refusal log retains: the limit as it stood, or the accounts."""
    if reply["refused"] == "limit":
        limit = Limit.from_json(reply["limit"])
        found = {name: reply[name] for name in ("why", "settled", "held", "amount", "wait_ms")}
        return {"limit": {"id": limit.id, "name": limit.label, "what": limit.unit.value, **found}}
    if reply["refused"] == "no_accounts":
        seen = list(reply.get("seen") or ())[:MAX_CANDIDATES]
        return {"accounts": {"states": reply["states"] or {}, "total": reply["total"]}, "seen": seen}
    return {}


def _error(reply: dict[str, Any], native_field: str | None) -> GatewayError:
    match reply["refused"]:
        case "limit":
            return _over_limit(reply)
        case "no_accounts":
            return absence(reply, native_field)
        case "key":
            return InvalidApiKey(f"This API key is {reply['why']}")
    return StoreUnavailable("The gateway and its store do not agree on the time", retry_after_seconds=1)


def _over_limit(reply: dict[str, Any]) -> QuotaExceeded:
    limit, amount = Limit.from_json(reply["limit"]), reply["amount"]
    owner = "This API key's" if limit.scope is LimitScope.KEY else "The pool's"
    name = f"{owner} limit of {limit.label}"
    unenforced = bool(reply.get("unenforced"))
    if unenforced:
        name = f"Only accounts that may bill more than the requested length are available. {name}"
    match reply["why"]:
        case "never":
            most = limit.unit.quantity(amount)
            remedy = RAISE_OR_ADD if unenforced else "ask for less, for example with a smaller maximum output"
            return NeverFits(f"{name} can never fit this request, which may use up to {most}; {remedy}")
        case "unbounded":
            remedy = ADD_SIZE if unenforced else _how_to_bound(limit)
            return NeverFits(f"{name} is strict and this request has no upper bound; {remedy}")
        case "held":
            return QuotaExceeded(
                f"{name} is reserved by other running requests ({_standing(reply, limit.unit)}); "
                f"try again in {duration(HELD_RETRY_SECONDS)}",
                retry_after_seconds=HELD_RETRY_SECONDS,
            )
    spent = "is used up" if reply["settled"] >= limit.max else "has no room for this request"
    if not reply["wait_ms"]:
        return QuotaExceeded(f"{name} {spent} and does not reset ({_standing(reply, limit.unit)})")
    wait = reply["wait_ms"] / 1000
    ends = "there is room in" if limit.period.is_rolling else "resets in"
    return QuotaExceeded(
        f"{name} {spent}; {ends} {duration(wait)} ({_standing(reply, limit.unit)})",
        retry_after_seconds=wait,
        resets_at=reply["now"] / 1000 + wait,
    )


def _standing(reply: dict[str, Any], unit: LimitUnit) -> str:
    used, reserved, requested = (unit.amount(reply[name]) for name in ("settled", "held", "amount"))
    return f"{used} used, {reserved} reserved by running requests, {requested} requested"


def _how_to_bound(limit: Limit) -> str:
    bound = "set max_output_tokens (chat: max_completion_tokens)"
    return f"{bound}, and a price if the model has none" if limit.unit.is_money else bound
