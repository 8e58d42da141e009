"""A ledger row as pages show it, with names for ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from app.admin.pages import formatting
from app.stores import keys
from app.stores.client import store_errors


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id, of what there is in a pool now."""

    accounts: Mapping[str, str]
    keys: Mapping[str, str]


def names_of(client: Any, pool: str) -> Names:
    """Return the names in *pool*. One round trip."""
    with store_errors():
        pipeline = client.pipeline(transaction=False)
        pipeline.hgetall(keys.account_names(pool))
        pipeline.hgetall(keys.key_names(pool))
        accounts, api_keys = pipeline.execute()
    return Names({one: name for name, one in accounts.items()}, {one: name for name, one in api_keys.items()})


@dataclass(frozen=True, slots=True)
class RowView:
    row: Mapping[str, Any]
    names: Names
    entry_id: str = ""  # its place in the ledger
    attempt: Mapping[str, Any] = field(default_factory=dict)  # that this row is about, on an account's page

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def at(self) -> float:
        return float(self.row["at_ms"]) / 1000

    @property
    def key(self) -> str:
        return _named(str(self.row["key"]), self.names.keys)

    @property
    def account(self) -> str:
        if self.row.get("refused"):
            return "refused"
        return _named(str(self.row["account"]), self.names.accounts)

    @property
    def message(self) -> str:
        """What the caller of a refused request was told."""
        return str(self.row.get("message") or "")

    @property
    def model(self) -> str:
        return str(self.row["model"])

    @property
    def badge(self) -> Markup:
        return formatting.badge(formatting.status(self.row["status"]))

    @property
    def error(self) -> str:
        return str(self.row.get("error") or "")

    @property
    def failure(self) -> str:
        """What went wrong, and whether another account answered after it."""
        what = str(self.attempt.get("error") or self.attempt.get("failure") or self.error)
        return f"{what}, rescued by another account" if self.row["status"] < 400 else what

    @property
    def tries(self) -> int:
        return len(self.row.get("attempts") or ())

    def number(self, name: str) -> float | None:
        value = self.row.get(name)
        return value if isinstance(value, int | float) else None


def _named(one: str, names: Mapping[str, str]) -> str:
    return names.get(one) or (f"{one} (removed)" if one else "–")
