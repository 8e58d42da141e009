"""JSON of accounts, keys and limits in the admin API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.accounts.account import Account
from app.operations.serializers import LimitStatusJson, serialize_limit_status
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit
from app.wiring import Services

Json = dict[str, Any]


def serialize_account(account: Account) -> Json:
    """Return *account* as JSON, with its usage windows (`resets_at` in Unix seconds) and listed models."""
    used, resets, lengths = account.used, account.resets_ms, account.window_seconds
    windows = [
        {"used_percent": percent, "resets_at": reset // 1000 or None, "seconds": seconds or None}
        for percent, reset, seconds in zip(used, resets, lengths, strict=True)
        if percent is not None
    ]
    extra = {"signed_in": account.signed_in, "created_at": account.created_at, "windows": windows}
    return account.public() | extra | {"listed_models": account.listed}


def serialize_key(key: ApiKey, account_names: Mapping[str, str], limits: Sequence[LimitStatusJson]) -> Json:
    """Return *key* as JSON; `accounts` are names, or ids of removed ones."""
    names = [account_names.get(account_id, account_id) for account_id in key.accounts]
    return key.public() | {"accounts": names, "limits": limits}


def serialize_limits(services: Services, pool: str, limits: Iterable[Limit]) -> list[LimitStatusJson]:
    """Return *limits* with their usage, in two round trips."""
    limits = list(limits)
    return (
        [serialize_limit_status(item) for item in services.ledger.usage.limit_statuses(pool, limits)]
        if limits
        else []
    )
