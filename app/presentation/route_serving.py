"""Whether a model route can be served now: by which target, or the reason that it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TypedDict

from app.accounts.account import Account, demo_serves
from app.accounts.kinds import kind_of
from app.accounts.offered_models import offers
from app.formatting import duration
from app.presentation.accounts import state_label
from app.stores.records.accounts import OUT_OF_USE, AccountState, ModelRest, ModelState
from app.stores.records.model_routes import RouteTarget

MAX_NAMES = 3  # accounts that a text names

REST_TEXTS: Mapping[ModelState, str] = {
    ModelState.MISSING: "does not have it",
    ModelState.OVERLOADED: "is overloaded for it",
    ModelState.LIMITED: "is rate limited for it",
    ModelState.SUSPECTED: "failed for it",
}

Steps = Sequence[Sequence[RouteTarget]]
Rests = Mapping[str, Sequence[ModelRest]]  # by account id


class RouteServing(TypedDict):
    """
    The `model` that is requested first now, and the `accounts` that can serve it, by name.

    `reason` has in words why the targets before it cannot be served; if `model` is None, why none can.
    """

    model: str | None
    accounts: list[str]
    reason: str


def serving_now(steps: Steps, accounts: Sequence[Account], rests: Rests, now: float) -> RouteServing:
    """
    Return whether one of *accounts*, those of the pool that the caller may use, can serve *steps* at *now*.

    The targets of *steps* have ids of accounts in place of groups; *rests* are the models that rest at *now*,
    in Unix seconds.
    """
    demo = demo_serves(accounts)
    present = [account for account in accounts if demo or not kind_of(account).is_simulated]
    unlisted: dict[str, None] = {}
    reasons: dict[str, None] = {}
    for target in chain.from_iterable(steps):
        offering = [account for account in present if offers(account, target)]
        obstacles = {account.name: _obstacle(account, target.model, rests, now) for account in offering}
        if ready := sorted(name for name, obstacle in obstacles.items() if not obstacle):
            return {"model": target.model, "accounts": ready, "reason": _reason(reasons, unlisted)}
        if offering:
            states = _some(f"{name} {obstacle}" for name, obstacle in obstacles.items())
            reasons[f"{target.model}: {states}"] = None
        else:
            unlisted[target.model] = None
    return {"model": None, "accounts": [], "reason": _reason(reasons, unlisted)}


def _reason(reasons: Iterable[str], unlisted: Iterable[str]) -> str:
    """Return the *reasons* of targets as one text, with those that no account lists, *unlisted*."""
    missing = [f"no account that it may use lists {models}"] if (models := _some(unlisted)) else []
    return "; ".join([*reasons, *missing])


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
        return f"is {state_label(account.state)}"
    rest = next((one for one in rests.get(account.id, ()) if one.model == model), None)
    if rest is not None:
        return f"{REST_TEXTS[rest.state]}, next try in {duration(rest.until_ms / 1000 - now)}"
    is_full = account.state is AccountState.ACTIVE and account.in_flight >= account.cap
    return "is full" if is_full else ""


def _some(texts: Iterable[str]) -> str:
    known = list(texts)
    rest = len(known) - MAX_NAMES
    return ", ".join(known[:MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")
