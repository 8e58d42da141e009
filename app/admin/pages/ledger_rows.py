"""View model of a ledger entry, with names for ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from app.admin.pages import formatting
from app.operations.serializers import Names


@dataclass(frozen=True, slots=True)
class RowView:
    """A ledger entry, or one attempt in it, as a table row."""

    row: Mapping[str, Any]
    names: Names
    entry_id: str = ""  # its id in the ledger
    attempt: Mapping[str, Any] = field(default_factory=dict)  # the attempt shown on the page of an account

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def at(self) -> float:
        return float(self.row["at_ms"]) / 1000

    @property
    def key(self) -> str:
        return _display_name(str(self.row["key"]), self.names.key)

    @property
    def account(self) -> str:
        if self.row.get("refused"):
            return "refused"
        return _display_name(str(self.row["account"]), self.names.account)

    @property
    def message(self) -> str:
        """The error message that a refused caller received."""
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
        """The failure, and whether another account answered after it."""
        what = str(self.attempt.get("error") or self.attempt.get("failure") or self.error)
        return f"{what}, rescued by another account" if self.row["status"] < 400 else what

    @property
    def tries(self) -> int:
        return len(self.row.get("attempts") or ())

    def number(self, name: str) -> float | None:
        value = self.row.get(name)
        return value if isinstance(value, int | float) else None


def _display_name(object_id: str, names: Mapping[str, str]) -> str:
    return names.get(object_id) or (f"{object_id} (removed)" if object_id else "–")
