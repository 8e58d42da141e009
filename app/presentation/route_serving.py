"""Whether a model route can be served now: by which target, or the reason that it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TypedDict

from app.accounts.account import Account, demo_serves
from app.accounts.kinds import kind_of
from app.accounts.offered_models import offers
from app.presentation.accounts import state_label
from app.stores.records.accounts import OUT_OF_USE, AccountState
from app.stores.records.model_routes import RouteTarget

MAX_NAMES = 3  # accounts that a text names

Steps = Sequence[Sequence[RouteTarget]]


class RouteServing(TypedDict):
    """
    The `model` that is requested first now, and the `accounts` that can serve it, by name.

    If no account can serve any target, `model` is None, and `reason` has the reasons in words.
    """

    model: str | None
    accounts: list[str]
    reason: str


def serving_now(steps: Steps, accounts: Sequence[Account], now: float) -> RouteServing:
    """
    Return whether one of *accounts*, those of the pool that the caller may use, can serve *steps* at *now*.

    The targets of *steps* have ids of accounts in place of groups; *now* is in Unix seconds.
    """
    demo = demo_serves(accounts)
    present = [account for account in accounts if demo or not kind_of(account).is_simulated]
    unlisted: dict[str, None] = {}
    reasons: dict[str, None] = {}
    for target in chain.from_iterable(steps):
        offering = [account for account in present if offers(account, target)]
        ready = [account.name for account in offering if _obstacle(account, now) == ""]
        if ready:
            return {"model": target.model, "accounts": sorted(ready), "reason": ""}
        if offering:
            states = _some(f"{account.name} is {_obstacle(account, now)}" for account in offering)
            reasons[f"{target.model}: {states}"] = None
        else:
            unlisted[target.model] = None
    missing = [f"no account that it may use lists {_some(unlisted)}"] if unlisted else []
    return {"model": None, "accounts": [], "reason": "; ".join([*reasons, *missing])}


def serving_text(serving: RouteServing) -> str:
    """Return *serving* as a cell of a table: `gpt-5-mini at main, gpu1`, or `no: …`."""
    if serving["model"] is None:
        return f"no: {serving['reason']}"
    return f"{serving['model']} at {_some(serving['accounts'])}"


def _obstacle(account: Account, now: float) -> str:
    """Return why *account* gets no request now, '' if it may get one."""
    if account.state is not AccountState.ACTIVE:
        is_due = 0 < account.until_ms <= now * 1000 and account.state not in OUT_OF_USE
        return "" if is_due else state_label(account.state)
    return "full" if account.in_flight >= account.cap else ""


def _some(texts: Iterable[str]) -> str:
    known = list(texts)
    rest = len(known) - MAX_NAMES
    return ", ".join(known[:MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")
