"""Read and store what an upstream reports about an account: its models and its usage windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.kinds import kind_of
from app.accounts.usage_windows import has_room, outcome_from_usage
from app.errors import UpstreamProtocolError
from app.stores.upstream_metadata import UpstreamMetadataRepository


def checked_object(payload: object) -> dict[str, Any]:
    """Return *payload* if it is a JSON object. Raises UpstreamProtocolError."""
    if not isinstance(payload, dict):
        raise UpstreamProtocolError("The upstream's response is not a JSON object")
    return payload


class UpstreamLists:
    """Stores the models and the usage windows that an upstream reports for an account."""

    def __init__(self, accounts: AccountRepository, metadata: UpstreamMetadataRepository) -> None:
        self._accounts = accounts
        self._metadata = metadata

    def store_models(self, pool: str, account: Account, payload: Mapping[str, Any]) -> int:
        """
        Store the models in *payload*, the reply at the kind's `models_path`; return their number.

        Raises UpstreamProtocolError if the payload is not a list of models, StoreUnavailable.
        """
        kind = kind_of(account)
        listed = kind.read_models(payload)
        if kind.has_catalogue:
            self._metadata.put(pool, account.id, "catalogue", listed.catalogue)
        self._accounts.list_models(pool, account.id, listed.names, listed.metadata)
        return len(listed.names)

    def store_usage(self, pool: str, account: Account, usage: Mapping[str, Any], now: float) -> None:
        """Store the usage windows in *usage*, the reply at the kind's `usage_path`; *now* in Unix seconds."""
        outcome, room = outcome_from_usage(usage, now), has_room(usage) is True
        self._accounts.observe(pool, account.id, {}, outcome=outcome, room=room)
        self._metadata.put(pool, account.id, "usage", client_usage(usage))


_CLIENT_USAGE_TYPES = {"plan_type": str, "credits": dict, "monthly_window": dict}


def client_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of *usage* that clients may read, apart from the usage windows."""
    limits = usage.get("rate_limit")
    monthly = limits.get("monthly_window") if isinstance(limits, dict) else None
    parts = {
        "plan_type": usage.get("plan_type"),
        "credits": usage.get("credits"),
        "monthly_window": monthly,
    }
    return {name: value for name, value in parts.items() if isinstance(value, _CLIENT_USAGE_TYPES[name])}
