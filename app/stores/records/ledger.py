"""Entries of the ledger: the fields of each settled request. lua/settle.lua documents the fields of a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Required, TypedDict, get_args

import orjson

from app.stores.records.api_keys import Attribution

Row = dict[str, Any]

# The figures of a row that totals add up, as in lua/requests.lua; `requests` and `errors` are counted.
FIGURES = (
    *("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"),
    *("cost", "waste_cost", "first_ms", "total_ms"),
)
ChargedName = Literal["input_tokens", "output_tokens", "cost"]
UnreportedName = Literal["unreported_input_tokens", "unreported_output_tokens", "unreported_cost"]
CHARGED: tuple[ChargedName, ...] = get_args(ChargedName)  # what limits count
# What may have been billed beyond the estimates in the figures above, where the upstream reported no
# usage: strict limits are charged both.
UNREPORTED: tuple[UnreportedName, ...] = get_args(UnreportedName)  # in the order of CHARGED
ATTEMPT_FIGURES = EXTRA, FAILED, RESCUES = "extra_attempts", "failed_attempts", "rescues"

EVER = "ever"


class UsageSource(StrEnum):
    """Where the usage in a row comes from."""

    UPSTREAM = "upstream"  # its own report
    ESTIMATED = "estimated"
    CACHE = "cache"  # a stored response, which uses nothing
    CORRECTED = "corrected"  # the difference to what an expired lease was charged


class Action(StrEnum):
    """What followed the failure of an attempt; stored with it."""

    OTHER_ACCOUNT = "other"  # another account; if there is none, one that failed, after a pause
    OTHER_ACCOUNT_ONLY = "other_only"  # another account or none: this one would give the same response again
    OTHER_ONCE = "other_once"  # one other account; if it fails in the same way, that is the response
    RESTART = "restart"  # another account continues what was delivered, if the caller opted in
    FAIL = "tell"  # stop, and send the client the error


class Figures(TypedDict, total=False):
    """What an attempt used and cost, in tokens and micro-dollars; what is unknown is absent."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost: int
    ceiling_cost: int  # without a price: what a balanced limit is charged
    unreported_input_tokens: int
    unreported_output_tokens: int
    unreported_cost: int
    counted_by: str  # how an estimate was made; absent: the upstream reported the usage
    tier: str
    price: str  # the version of the price list


class AttemptRow(Figures, total=False):
    """One attempt in a LedgerRow; only a failed one that may have been billed has figures."""

    account: Required[str]
    wire: str  # the protocol
    error: str | None  # the code that a client gets
    upstream_status: int  # of HTTP; absent: none arrived, or the failure came in the stream
    upstream_code: str  # the code, else the type, that the upstream reported
    failure: str
    action: str
    scope: str
    maybe_billed: bool  # the upstream may have served a request that it did not answer
    repeated_without: list[str]  # fields of the request
    wasted_tokens: int


class UsageRow(Figures, total=False):
    """What a request used; the figures are those of all attempts."""

    source: str  # a UsageSource
    unreported: str  # why no usage was reported


class LedgerRow(UsageRow, total=False):
    """What the gateway writes of a settled request."""

    id: Required[str]
    at_ms: Required[int]
    key: Required[str]
    account: Required[str]
    model: Required[str]
    endpoint: Required[str]
    status: Required[int]
    attempts: list[AttemptRow]
    total_ms: int
    first_ms: int | None
    queued_ms: int  # until an account was free; absent: it did not wait
    asked: str  # the model as the client named it
    team: str  # of its key, when it was admitted
    owner: str  # of its key, when it was authenticated; absent: it had none
    labels: Mapping[str, str]  # likewise
    error: str | None
    waste_cost: int


class StoredEntry(NamedTuple):
    """An entry as it is stored: its id, its row (JSON) and its routing decisions (JSON)."""

    id: str
    row: str
    decisions: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """
    One settled or refused request.

    `id` is `<Unix ms of its end>-<number>`, by which ledger and refusal log are in one order.
    """

    id: str
    row: Row

    @classmethod
    def parse(cls, stored: StoredEntry) -> LedgerEntry:
        return cls(stored.id, orjson.loads(stored.row))

    @property
    def request_id(self) -> str:
        return str(self.row["id"])

    @property
    def key_id(self) -> str:
        return str(self.row["key"])

    @property
    def account_id(self) -> str:
        return str(self.row["account"])

    @property
    def model(self) -> str:
        return str(self.row["model"])

    @property
    def status(self) -> int:
        return int(self.row["status"])

    @property
    def is_refused(self) -> bool:
        """Whether the request was refused before an account was tried."""
        return bool(self.row.get("refused"))

    @property
    def started_at(self) -> float:
        """Unix seconds."""
        return float(self.row["at_ms"]) / 1000

    @property
    def ended_at(self) -> float:
        """Unix seconds."""
        return self.position[0] / 1000

    @property
    def attempts(self) -> list[AttemptEntry]:
        return [AttemptEntry.from_json(attempt) for attempt in self.row.get("attempts") or ()]

    @property
    def position(self) -> tuple[int, int]:
        return position_of(self.id)


@dataclass(frozen=True, slots=True)
class AttemptEntry:
    """One attempt of a request at an account; `failure` is '' for the attempt that answered."""

    account: str
    failure: str = ""
    scope: str = ""  # what the failure concerns: the account, a model, the request
    error: str = ""
    upstream_status: int | None = None
    upstream_code: str = ""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> AttemptEntry:
        return cls(
            account=stored["account"],
            failure=stored.get("failure", ""),
            scope=stored.get("scope", ""),
            error=stored.get("error") or "",
            upstream_status=stored.get("upstream_status"),
            upstream_code=stored.get("upstream_code", ""),
        )

    @property
    def reason(self) -> str:
        """How it failed: `upstream 503 overloaded_error`, its status and code, else the failure."""
        status = "" if self.upstream_status is None else f"upstream {self.upstream_status}"
        return " ".join(filter(None, (status, self.upstream_code or self.error or self.failure)))

    @property
    def is_failure_of_account(self) -> bool:
        """Whether the attempt failed, and not because of the request itself."""
        return bool(self.failure) and self.scope != "request"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """An admitted request that is not settled; `decisions` is JSON without the brackets of its list."""

    key_id: str
    model: str
    endpoint: str
    started_ms: int
    decisions: str
    requested_model: str  # as the client named it; empty: `model`
    is_expired: bool  # its lease ran out and was charged its upper bound
    team: str = ""  # of its key, when it was admitted
    attribution: Attribution = field(default_factory=Attribution)  # of its key now


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """A request that waits for an account since `since_ms`; `before` others of its pool wait before it."""

    key_id: str
    model: str
    endpoint: str
    since_ms: int
    before: int
    requested_model: str = ""  # as the client named it; empty: `model`
    team: str = ""  # of its key now
    attribution: Attribution = field(default_factory=Attribution)  # of its key now


class Total(NamedTuple):
    """One hash of totals: of an hour or a day (`start` in Unix seconds), or of all an API key has used."""

    span: str  # h | d | ever
    start: int = 0
    key_id: str = ""
    by_team: bool = False  # whether by team in place of API key


class StoredTotal(NamedTuple):
    """The figures of a total, and the id of the newest entry that is in them, '' for none."""

    figures: dict[str, int]
    newest_id: str


_ENTRY_ID = re.compile(r"[1-9]\d{0,14}-\d{1,15}", re.ASCII)  # Redis has no entry 0


def is_entry_id(text: str) -> bool:
    """Return whether *text* may be the id of an entry, of the ledger or of the audit log."""
    return _ENTRY_ID.fullmatch(text) is not None


def position_of(entry_id: str) -> tuple[int, int]:
    """Return (Unix ms, number) of an entry's id."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number)
