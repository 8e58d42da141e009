"""Whether a model route can be served now: by which target, or the reason that it cannot."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from itertools import chain
from typing import TypedDict

from app.accounts.account import Account, demo_serves
from app.accounts.kinds import kind_of
from app.accounts.offered_models import candidates
from app.formatting import duration
from app.presentation.accounts import state_label
from app.stores.records.accounts import OUT_OF_USE, AccountState, ModelRest, ModelState
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import RouteTarget

MAX_NAMES = 3  # accounts that a text names

REST_TEXTS: Mapping[ModelState, str] = {
    ModelState.MISSING: "does not have it",
    ModelState.OVERLOADED: "is overloaded for it",
    ModelState.LIMITED: "is rate limited for it",
    ModelState.SUSPECTED: "failed for it",
}
ADJECTIVES = (AccountState.PAUSED, AccountState.SUSPECTED)  # states whose names are adjectives

# Remarks about models of targets
LOST = "no account is left for"
UNOFFERED = "no account that it may use offers"
UNLISTED = "any account is tried because none lists"

Remarks = dict[str, dict[str, None]]  # models, in order, by what is remarkable about them
Steps = Sequence[Sequence[RouteTarget]]
Rests = Mapping[str, Sequence[ModelRest]]  # by account id


class RouteServing(TypedDict):
    """
    The `model` that is requested first now, and the `accounts` that can serve it, by name.

    `reason` has in words why the targets before it cannot be served, or that no account lists it; if `model`
    is None, why none can be served.
    """

    model: str | None
    accounts: list[str]
    reason: str


def serving_now(
    steps: Steps, accounts: Sequence[Account], rests: Rests, now: float, key: ApiKey | None = None
) -> RouteServing:
    """
    Return whether one of *accounts*, all of the pool, can serve *steps* at *now*, in Unix seconds.

    If *key* is given, only those that it may use. The targets of *steps* have ids of accounts in place of
    groups; *rests* are the models that rest at *now*.
    """
    ids, demo = {account.id for account in accounts}, demo_serves(accounts)
    usable = [
        account
        for account in accounts
        if (demo or not kind_of(account).is_simulated) and (key is None or key.may_use_account(account.id))
    ]
    states: dict[str, None] = {}
    remarks: Remarks = {LOST: {}, UNOFFERED: {}, UNLISTED: {}}
    for target in chain.from_iterable(steps):
        allowed = [one for one in usable if not target.accounts or one.id in target.accounts]
        offering = candidates(allowed, target.model, _ids_without(target.model, rests))
        if remark := _remark(target, offering, ids):
            remarks[remark][target.model] = None
        obstacles = {account.name: _obstacle(account, target.model, rests, now) for account in offering}
        if ready := sorted(name for name, obstacle in obstacles.items() if not obstacle):
            return {"model": target.model, "accounts": ready, "reason": _reason(states, remarks)}
        if offering:
            obstructed = _some(f"{name} {obstacle}" for name, obstacle in obstacles.items())
            states[f"{target.model}: {obstructed}"] = None
    return {"model": None, "accounts": [], "reason": _reason(states, remarks)}


def _ids_without(model: str, rests: Rests) -> set[str]:
    """Return the ids of accounts that were found not to have *model*."""
    missing = ModelState.MISSING
    return {
        id for id, found in rests.items() if any((one.model, one.state) == (model, missing) for one in found)
    }


def _remark(target: RouteTarget, offering: Collection[Account], account_ids: Container[str]) -> str:
    """Return the remark that applies to *target*, which *offering* may serve; '' if there is none."""
    if target.is_lost(account_ids):
        return LOST
    if not offering:
        return UNOFFERED
    return "" if any(account.may_have(target.model) for account in offering) else UNLISTED


def _reason(states: Iterable[str], remarks: Remarks) -> str:
    """Return the *states* of accounts and the *remarks* as one text."""
    return "; ".join([*states, *(f"{text} {_some(models)}" for text, models in remarks.items() if models)])


def serving_text(serving: RouteServing) -> str:
    """Return *serving* as a cell of a table: `gpt-5-mini at main, gpu1`, or `no: …`."""
    if serving["model"] is None:
        return f"no: {serving['reason']}"
    before = f" ({serving['reason']})" if serving["reason"] else ""
    return f"{serving['model']} at {_some(serving['accounts'])}{before}"


def _obstacle(account: Account, model: str, rests: Rests, now: float) -> str:
    """Return why *account* gets no request for *model* now, as in `is full`; '' if it may get one."""
    is_due = 0 < account.until_ms <= now * 1000 and account.state not in OUT_OF_USE
    if account.state is not AccountState.ACTIVE and not is_due:
        label = state_label(account.state)
        return f"is {label}" if account.state in ADJECTIVES else f"is out of use ({label})"
    rest = next((one for one in rests.get(account.id, ()) if one.model == model), None)
    if rest is not None:
        return f"{REST_TEXTS[rest.state]}, next try in {duration(rest.until_ms / 1000 - now)}"
    is_full = account.state is AccountState.ACTIVE and account.in_flight >= account.cap
    return "is full" if is_full else ""


def _some(texts: Iterable[str]) -> str:
    known = list(texts)
    rest = len(known) - MAX_NAMES
    return ", ".join(known[:MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")
