"""A search of the ledger: its filters, and whether an entry matches them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.errors import InvalidRequest
from app.stores.records.ledger import LedgerEntry, Row, UsageSource

_STATUS = re.compile(r"ok|failed|[1-5]xx|[1-5]\d\d")
STATUS_FORMS = "ok, failed, a class such as 5xx, a number, or several of these separated by commas"
MAX_STATUSES = 20
MAX_MINIMUM = 10**12  # milliseconds, or micro-dollars
TEXTS = ("key", "account", "model", "team", "owner", "endpoint", "error")  # fields of a row


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """
    Which entries to search for; '' and None match any. *key*, *account* and *tried* are ids.

    *tried* is the account of any attempt, *account* that of the last attempt. *model* is the model that was
    requested of the account, *requested* the name that the client sent. Team, owner and labels are those of
    the key at the time of the request; a label with the value '' matches any value.

    *status* is `ok` (below 400), `failed`, a class such as `5xx`, or a number; several are separated by
    commas. *since* and *until* are Unix seconds.
    """

    key: str = ""
    account: str = ""
    tried: str = ""
    model: str = ""
    requested: str = ""
    team: str = ""
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    endpoint: str = ""
    status: str = ""
    error: str = ""
    retried: bool | None = None  # whether there were several attempts
    cached: bool | None = None  # whether it was answered from the response cache
    min_ms: int = 0  # total duration
    min_cost: int = 0  # micro-dollars
    since: float | None = None
    until: float | None = None
    refused: bool = False  # only requests that were refused before an account was tried

    def check(self) -> None:
        """Raise InvalidRequest for an unknown status, or a minimum that is out of range."""
        if self.status and not all(map(_STATUS.fullmatch, self.statuses)):
            raise InvalidRequest(f"status must be {STATUS_FORMS}", param="status")
        if len(self.statuses) > MAX_STATUSES:
            raise InvalidRequest(f"status must be at most {MAX_STATUSES} values", param="status")
        for name, value in (("min_ms", self.min_ms), ("min_cost", self.min_cost)):
            if not 0 <= value <= MAX_MINIMUM:
                raise InvalidRequest(f"A minimum is a number from 0 to {MAX_MINIMUM}", param=name)

    @property
    def statuses(self) -> list[str]:
        return [part.strip() for part in self.status.split(",")] if self.status else []

    @property
    def texts(self) -> dict[str, str]:
        """Return the fields of a row that must be equal to a text."""
        return {name: value for name in TEXTS if (value := getattr(self, name))}

    def matches(self, entry: LedgerEntry) -> bool:
        """Return whether the row of *entry* matches; its time is not compared."""
        row = entry.row
        return (
            all(row.get(name) == value for name, value in self.texts.items())
            and (not self.requested or requested_model(row) == self.requested)
            and (not self.tried or self.tried in tried_accounts(row))
            and (not self.status or any(_has_status(entry.status, status) for status in self.statuses))
            and (not self.labels or self._has_labels(row))
            and self.retried in (None, is_retried(row))
            and self.cached in (None, is_cached(row))
            and figure(row, "total_ms") >= self.min_ms
            and figure(row, "cost") >= self.min_cost
        )

    def _has_labels(self, row: Row) -> bool:
        labels = row.get("labels") or {}
        return all(name in labels and value in ("", labels[name]) for name, value in self.labels.items())

    def is_in_time(self, entry: LedgerEntry) -> bool:
        ended_ms = entry.position[0]
        return (self.since is None or ended_ms >= int(self.since * 1000)) and (
            self.until is None or ended_ms <= int(self.until * 1000)
        )


def requested_model(row: Row) -> str:
    """Return the model as the client named it."""
    return row.get("asked") or row.get("model") or ""


def tried_accounts(row: Row) -> set[str]:
    """Return the ids of all accounts that were tried."""
    tried = {attempt["account"] for attempt in row.get("attempts") or ()} | {row.get("account") or ""}
    return tried - {""}


def is_retried(row: Row) -> bool:
    return len(row.get("attempts") or ()) > 1


def is_cached(row: Row) -> bool:
    return row.get("source") == UsageSource.CACHE


def figure(row: Row, name: str) -> int:
    """Return a figure of a row as an integer; 0 if it is unknown or negative, as in a correction."""
    value = row.get(name)
    return max(0, int(value)) if isinstance(value, int | float) else 0


def status_groups(status: int) -> tuple[str, ...]:
    """Return every filter for a status that *status* matches."""
    return "ok" if status < 400 else "failed", f"{str(status)[0]}xx", str(status)


def _has_status(status: int, pattern: str) -> bool:
    match pattern:
        case "ok":
            return status < 400
        case "failed":
            return status >= 400
    return str(status)[0] == pattern[0] if pattern.endswith("xx") else str(status) == pattern
