"""Warnings about probable mistakes in a key that was just created or changed; the change is not refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.accounts.account import Account
from app.accounts.model_routes import NO_ROUTES, RouteTable
from app.formatting import moment
from app.limits.prices import PriceTable
from app.operations.unlisted_models import unlisted_in_limits, unlisted_names
from app.operations.unpriced_models import ReachableModels, unpriced_limits
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit


def key_warnings(
    key: ApiKey,
    accounts: Sequence[Account],
    now: float,
    prices: PriceTable,
    routes: RouteTable = NO_ROUTES,
) -> list[str]:
    """Return sentences about *key* of a pool with *accounts*, *prices*, *routes*; *now* in Unix seconds."""
    own = [account for account in accounts if key.may_use_account(account.id)]
    unlisted = unlisted_names(key.models, own, routes)
    return [
        *_expiry(key, now),
        *([unlisted.sentence()] if unlisted else []),
        *same_limits(key.limits),
        *limit_models(key.limits, own),
        *unpriced_limits(key.limits, ReachableModels(own, routes).of(key), prices),
    ]


def rotation_warnings(before: ApiKey, now: float) -> list[str]:
    """Return sentences about what a rotation ends early; *before* is the key before the rotation."""
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


def limit_models(limits: Sequence[Limit], accounts: Sequence[Account]) -> list[str]:
    """Return a sentence about *limits* for models that none of *accounts* lists, if there are any."""
    unlisted = unlisted_in_limits(limits, accounts)
    return [f"a limit may count nothing: {unlisted.sentence()}"] if unlisted else []


def same_limits(limits: Sequence[Limit], added: Limit | None = None) -> list[str]:
    """
    Return sentences about *limits* that count the same; with *added*, only those that count the same as it.
    """
    groups: dict[tuple[Any, ...], list[str]] = {}
    for limit in limits:
        groups.setdefault(limit.counted, []).append(limit.label)
    checked = groups if added is None else [added.counted]
    return [
        f"these limits count the same, so the lowest one applies: {'; '.join(groups[counted])}"
        for counted in checked
        if len(groups.get(counted, ())) > 1
    ]
