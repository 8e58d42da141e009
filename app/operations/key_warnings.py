"""Warn of probable mistakes in a key that was just created or changed; the change is not refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.accounts.account import Account
from app.accounts.model_routes import NO_ROUTES, RouteTable
from app.formatting import moment
from app.patterns import matches
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit


def key_warnings(
    key: ApiKey, accounts: Sequence[Account], now: float, routes: RouteTable = NO_ROUTES
) -> list[str]:
    """Return sentences about *key* of a pool with *accounts* and *routes*; *now* in Unix seconds."""
    return [*_expiry(key, now), *_models(key, accounts, routes), *same_limits(key.limits)]


def rotation_warnings(before: ApiKey, now: float) -> list[str]:
    """Return sentences about what a rotation ends early; *before* is the key before it."""
    if not before.former_until or before.former_until <= now:
        return []
    until = moment(before.former_until)
    return [
        f"the secret that an earlier rotation left valid until {until} is refused from now on: "
        "at most two are valid at a time"
    ]


def _expiry(key: ApiKey, now: float) -> list[str]:
    if key.expires_at and key.expires_at <= now:
        return [f"it has expired already, at {moment(key.expires_at)}: every request is refused"]
    return []


def _models(key: ApiKey, accounts: Sequence[Account], routes: RouteTable) -> list[str]:
    allowed = [account for account in accounts if not key.accounts or account.id in key.accounts]
    models = [name for name in key.models if not routes_match(routes, name)]
    missing = [
        name for name in models if not any(one.may_have(name) or lists_model(one, name) for one in allowed)
    ]
    return [f"no account lists {', '.join(missing)}"] if missing and allowed else []


def routes_match(routes: RouteTable, name: str) -> bool:
    """Return whether a model route applies to *name*, or to a name that it matches as a pattern."""
    return routes.find(name) is not None or any(matches(name, exact) for exact in routes.exact)


def lists_model(account: Account, name: str) -> bool:
    """Return whether *account* offers *name*, or a model that it matches as a pattern."""
    return any(matches(name, model) for model in account.offered_models)


def same_limits(limits: Sequence[Limit], added: Limit | None = None) -> list[str]:
    """Return sentences about *limits* that count the same; with *added*, only about those like it."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for limit in limits:
        groups.setdefault(limit.counted, []).append(limit.label)
    checked = groups if added is None else [added.counted]
    return [
        f"these limits count the same, so the lowest one applies: {'; '.join(groups[counted])}"
        for counted in checked
        if len(groups.get(counted, ())) > 1
    ]
