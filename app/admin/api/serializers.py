"""JSON of accounts, keys and limits in the admin API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.accounts.account import Account
from app.operations.serializers import serialize_limit_status
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit
from app.wiring import Services

Json = dict[str, Any]


def account_shape(account: Account) -> Json:
    used, resets, lengths = account.used, account.resets_ms, account.window_seconds
    windows = [
        {"used_percent": percent, "resets_at": reset // 1000 or None, "seconds": seconds or None}
        for percent, reset, seconds in zip(used, resets, lengths, strict=True)
        if percent is not None
    ]
    beside = {"signed_in": account.signed_in, "created_at": account.created_at, "windows": windows}
    return account.public() | beside | {"listed_models": account.listed}


def key_shape(key: ApiKey, account_names: Mapping[str, str], limits: list[Json]) -> Json:
    """`accounts` are names; the id of one that was removed stays."""
    names = [account_names.get(one, one) for one in key.accounts]
    return key.public() | {"accounts": names, "limits": limits}


def standing(services: Services, pool: str, limits: Iterable[Limit]) -> list[Json]:
    """Return *limits* as they stand. Two round trips, however many."""
    asked = list(limits)
    return (
        [serialize_limit_status(one) for one in services.ledger.usage.limit_statuses(pool, asked)]
        if asked
        else []
    )
