"""Turn refusals of admission into errors that state what happened and how to fix it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from app.errors import (
    GatewayError,
    InvalidApiKey,
    NeverFits,
    NeverResets,
    QuotaExceeded,
    StoreUnavailable,
    TeamDisabled,
    UpstreamError,
)
from app.formatting import duration
from app.records import record
from app.relay.no_account import no_account_error
from app.stores.records.admission import LimitRefusal, Refusal, RefusalKind
from app.stores.records.limits import Limit, LimitScope, LimitUnit

HELD_RETRY_SECONDS = 2.0  # while reservations take the limit: a request may end at any time
TOO_SLOW = "The gateway or its store is too busy or too slow: this request could not be admitted in time"
MAX_CANDIDATES = 16  # most accounts in one entry of the refusal log

RAISE_OR_ADD = (
    "raise the limit, make it balanced, or add an account that enforces lengths, such as an OpenAI API key"
)
ADD_SIZE = "set the model's maximum output (poolgate price set), or " + RAISE_OR_ADD


ADD_CONTEXT = "leave it out, or make the limit balanced; some such input is bounded by the price's `context`"


class RefusedLimit(TypedDict):
    """A limit at the time of its refusal, by the field names of the refusal log."""

    id: str
    name: str
    what: str
    why: str
    settled: int
    held: int
    amount: int
    wait_ms: float


class RefusedAccounts(TypedDict):
    states: Mapping[str, int]
    total: int


class AdmissionFields(TypedDict, total=False):
    """What the refusal log stores of an admission: the limit, or the accounts and what stopped each."""

    limit: RefusedLimit
    team: str  # the key's team at that time, where a limit of the team refused
    accounts: RefusedAccounts
    seen: Sequence[Any]
    queued_ms: int  # how long the request waited for an account


@record
class RequestFacts:
    """Facts about a request that its error message explains; an empty value is not mentioned."""

    native_field: str | None = None  # the field that made some accounts ineligible
    referring: str = ""  # the field that refers to input outside the request
    unpriced: str = ""  # the name of its model, if that has no price
    pool: str = ""


NO_FACTS = RequestFacts()


def refusal_error(refusal: Refusal, facts: RequestFacts = NO_FACTS) -> GatewayError:
    """Return the error for *refusal*, explained by the *facts* of its request."""
    error = _error(refusal, facts)
    error.admission = admission_of(refusal)
    return error


def not_retried(error: UpstreamError, refusal: Refusal) -> UpstreamError:
    """Return *error*, of the last attempt, with the limit in *refusal* that allows no further attempt."""
    if refusal.limit is None:
        return error
    message = _limit_error(refusal.limit, refusal.now_ms).message
    return error.with_message(f"{error.message}. It was not tried again: {message}")


def admission_of(refusal: Refusal) -> AdmissionFields:
    """Return what the refusal log stores of *refusal*: the state of the limit, or the accounts."""
    if refusal.limit is not None:
        team: AdmissionFields = {"team": refusal.limit.team} if refusal.limit.team else {}
        return {"limit": _limit_entry(refusal.limit), **team}
    if refusal.kind is RefusalKind.TEAM:
        return {"team": refusal.reason}
    if refusal.accounts is not None:
        accounts = refusal.accounts
        candidates = list(accounts.candidates)[:MAX_CANDIDATES]
        return {"accounts": {"states": accounts.states, "total": accounts.total}, "seen": candidates}
    return {}


def _limit_entry(refused: LimitRefusal) -> RefusedLimit:
    limit = refused.limit
    return {
        "id": limit.id,
        "name": limit.label,
        "what": limit.unit.value,
        "why": refused.reason,
        "settled": refused.settled,
        "held": refused.reserved,
        "amount": refused.amount,
        "wait_ms": refused.wait_ms,
    }


def _error(refusal: Refusal, facts: RequestFacts) -> GatewayError:
    if refusal.limit is not None:
        return _limit_error(refusal.limit, refusal.now_ms, facts)
    if refusal.accounts is not None:
        return no_account_error(refusal.accounts, refusal.now_ms, facts.native_field)
    if refusal.kind is RefusalKind.KEY:
        return InvalidApiKey(f"This API key is {refusal.reason}")
    if refusal.kind is RefusalKind.TEAM:
        return TeamDisabled(refusal.reason)
    if refusal.kind is RefusalKind.CALENDAR:
        return StoreUnavailable(
            "The clock of the gateway's store changes while requests are admitted", retry_after_seconds=1
        )
    return StoreUnavailable(TOO_SLOW, retry_after_seconds=1)


def _limit_error(refused: LimitRefusal, now_ms: float, facts: RequestFacts = NO_FACTS) -> QuotaExceeded:
    limit, amount, referring = refused.limit, refused.amount, facts.referring
    why = f"; '{referring}' adds input that is not in it" if referring and _counts_input(limit) else ""
    name = _name_of(limit, refused.team)
    if refused.reason == "unbounded" and facts.unpriced and limit.unit.is_money:
        return NeverFits(f"{name} is strict and {_price_remedy(facts)}, or make the limit balanced")
    if refused.may_exceed_length:
        name = f"Only accounts that may bill more than the requested length are available. {name}"
    match refused.reason:
        case "never":
            maximum = limit.unit.quantity(amount)
            remedy = (
                RAISE_OR_ADD
                if refused.may_exceed_length
                else "request less, for example with a smaller maximum output"
            )
            return NeverFits(
                f"{name} can never fit this request, which may use up to {maximum}{why}; {remedy}"
            )
        case "unbounded":
            remedy = ADD_SIZE if refused.may_exceed_length else _how_to_bound(limit)
            remedy = f"{ADD_CONTEXT}; {remedy}" if why else remedy
            return NeverFits(f"{name} is strict and this request has no upper bound{why}; {remedy}")
        case "held":
            return QuotaExceeded(
                f"{name} is reserved by other running requests ({_amounts(refused)}); "
                f"try again in {duration(HELD_RETRY_SECONDS)}",
                retry_after_seconds=HELD_RETRY_SECONDS,
            )
    return _spent_error(refused, name, now_ms)


def _name_of(limit: Limit, team: str) -> str:
    """Return what *limit* is called at the beginning of a sentence."""
    if limit.scope is LimitScope.TEAM:
        return f"The limit of {limit.label} of the team '{team}'"
    return f"{'This API key' if limit.scope is LimitScope.KEY else 'The pool'}'s limit of {limit.label}"


def _spent_error(refused: LimitRefusal, name: str, now_ms: float) -> QuotaExceeded:
    limit = refused.limit
    spent = "is used up" if refused.settled >= limit.max else "has no room for this request"
    if not refused.wait_ms:
        return NeverResets(f"{name} {spent} and does not reset ({_amounts(refused)})")
    wait = refused.wait_ms / 1000
    ends = "there is room in" if limit.period.is_rolling else "resets in"
    return QuotaExceeded(
        f"{name} {spent}; {ends} {duration(wait)} ({_amounts(refused)})",
        retry_after_seconds=wait,
        resets_at=now_ms / 1000 + wait,
    )


def _amounts(refused: LimitRefusal) -> str:
    used, reserved, requested = map(
        refused.limit.unit.amount, (refused.settled, refused.reserved, refused.amount)
    )
    return f"{used} used, {reserved} reserved by running requests, {requested} requested"


def _counts_input(limit: Limit) -> bool:
    return limit.unit.is_money or limit.unit in (LimitUnit.INPUT_TOKENS, LimitUnit.TOTAL_TOKENS)


def _how_to_bound(limit: Limit) -> str:
    bound = "set max_output_tokens (chat: max_completion_tokens)"
    return f"{bound}, and a price if the model has none" if limit.unit.is_money else bound


def _price_remedy(facts: RequestFacts) -> str:
    """Return the remark that the model has no price, with the command that sets one."""
    pool = f" --pool {facts.pool}" if facts.pool not in ("", "default") else ""
    command = f"poolgate price set {shlex.quote(facts.unpriced)} --input USD --output USD{pool}"
    return f"the model '{facts.unpriced}' has no price: set it with {command}"
