"""Entries of the ledger: the fields of each settled request. lua/settle.lua documents the fields of a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Literal, NamedTuple, Required, TypedDict, get_args

import orjson

from app.stores.records.api_keys import Attribution

Row = dict[str, Any]

# The figures of a row that totals sum, as in lua/requests.lua. Totals also count `requests` and `errors`.
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
# Of a request at a later model, after one that failed and was settled: 1, and how many attempts there failed
# because of accounts. Totals of requests, errors and failed attempts less these are what callers received.
FALLBACK_FIGURES = FALLBACKS, FAILED_BEFORE = "fallbacks", "failed_before"
ATTEMPT_FIGURES = EXTRA, FAILED, RESCUES = "extra_attempts", "failed_attempts", "rescues"

EVER = "ever"


class UsageSource(StrEnum):
    """Where the usage in a row comes from."""

    UPSTREAM = "upstream"  # reported by the upstream
    ESTIMATED = "estimated"
    CACHE = "cache"  # a stored response was returned, which uses nothing
    CORRECTED = "corrected"  # a later correction of what an expired lease was charged


class Action(StrEnum):
    """What follows the failure of an attempt; stored with the attempt."""

    OTHER_ACCOUNT = "other"  # try another account; if none is left, one that failed, after a pause
    OTHER_ACCOUNT_ONLY = "other_only"  # try another account; this one would fail again
    OTHER_ONCE = "other_once"  # try one other account; its failure is final if it is the same
    RESTART = "restart"  # another account continues the stream, if the caller opted in
    FAIL = "tell"  # stop, and send the client the error


class Stop(StrEnum):
    """Why no attempt followed one after which another could have followed; stored with the request."""

    SAME_FAILURE = "same_failure"  # another account failed in the same way
    ATTEMPTS = "attempts"  # those of one model are used up, or the rest is for later models
    RESTARTS = "restarts"  # what was delivered cannot be continued, or not again
    ACCOUNTS = "accounts"  # as many accounts failed as the endpoint tries
    NO_ACCOUNT = "no_account"  # none is left that may answer
    WAIT = "wait"  # the next attempt would have been too late
    BUDGET = "budget"  # too many requests were being retried
    LIMIT = "limit"  # a limit had no room for the failed attempt and another
    STORE = "store"  # the store was away


class Figures(TypedDict, total=False):
    """What an attempt used and cost, in tokens and micro-dollars; unknown figures are absent."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost: int
    ceiling_cost: int  # without a price: the cost that balanced limits are charged
    unreported_input_tokens: int
    unreported_output_tokens: int
    unreported_cost: int
    counted_by: str  # how usage was estimated; absent: it was reported
    tier: str
    price: str  # the version of the price list


class AttemptRow(Figures, total=False):
    """One attempt in a LedgerRow; only a failed one that may have been billed has figures."""

    account: Required[str]
    wire: str  # the upstream protocol
    error: str | None  # the error code for clients
    upstream_status: int  # HTTP status; absent: none arrived, or the stream failed
    upstream_code: str  # the code, else the type, that the upstream reported
    failure: str
    action: str
    scope: str
    maybe_billed: bool  # the upstream may have processed the request without answering
    repeated_without: list[str]  # fields that the repetition omitted
    wasted_tokens: int


class UsageRow(Figures, total=False):
    """The usage of a request; its figures are totals over all attempts."""

    source: str  # a UsageSource
    unreported: str  # why no usage was reported
    unlimited: bool  # True: no limit applied, which could have been charged more than the estimate


class FallbackRow(TypedDict, total=False):
    """The fields of a row whose request failed at another model before; absent in others."""

    fallback_of: str  # id of the request at that model
    fallbacks: int  # 1; see FALLBACK_FIGURES
    failed_before: int


class PassedAccountRow(TypedDict):
    """An account that admission considered for a model, and why it was not chosen."""

    account: str
    reason: str


class PassedOverRow(TypedDict):
    """A model that was to serve a request before the one of its row, and did not admit it."""

    model: str
    code: str  # of the error
    seen: list[PassedAccountRow]


class LedgerRow(UsageRow, FallbackRow, total=False):
    """The fields that the gateway writes about a settled request."""

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
    queued_ms: int  # wait until an account was free; absent: none
    asked: str  # the model as the client named it
    team: str  # the key's team at admission
    owner: str  # the key's owner at authentication; absent: it had none
    labels: Mapping[str, str]  # the key's labels at authentication; absent: it had none
    error: str | None
    waste_cost: int
    stopped: str  # a Stop; absent: no attempt could have followed the last one
    passed_over: list[PassedOverRow]  # absent: no model was
    models: int  # at how many models a request that failed could be tried; absent: at one


class StoredEntry(NamedTuple):
    """An entry as it is stored: its id, its row (JSON) and its routing decisions (JSON)."""

    id: str
    row: str
    decisions: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """
    One settled or refused request.

    `id` is `<Unix ms of its recording>-<number>`. The ledger and the refusal log are both ordered by it.
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
    def requested_model(self) -> str:
        """The model as the client named it, if another model served; else ''."""
        return str(self.row.get("asked") or "")

    @property
    def status(self) -> int:
        return int(self.row["status"])

    @property
    def error_name(self) -> str:
        """The error code, else what the last upstream reported, else the name of the status; '' for none."""
        if self.status < 400:
            return ""
        reported = [attempt.upstream_code for attempt in self.attempts[-1:]]
        return str(self.row.get("error") or "".join(reported) or status_name(self.status))

    @property
    def models(self) -> int:
        """At how many models a request that failed could be tried; 1 if that is not stored."""
        return int(self.row.get("models", 1))

    @property
    def is_refused(self) -> bool:
        """Whether the request was refused before an account was tried."""
        return bool(self.row.get("refused"))

    @property
    def is_correction(self) -> bool:
        """Whether this corrects the entry of an expired lease, which counts the request as an error."""
        return self.row.get("source") == UsageSource.CORRECTED

    @property
    def errors(self) -> int:
        """What this adds to the number of errors: -1 if it corrects one, as the request was answered."""
        return int(self.row.get("errors", 0)) if self.is_correction else int(self.status >= 400)

    @property
    def started_at(self) -> float:
        """When the request arrived, in Unix seconds: before it waited to be admitted or refused."""
        return (float(self.row["at_ms"]) - float(self.row.get("queued_ms") or 0)) / 1000

    @property
    def ended_at(self) -> float:
        """When the request ended, in Unix seconds; it is recorded later if the store was away."""
        recorded_at, total_ms = self.position[0] / 1000, self.row.get("total_ms")
        if total_ms is None:
            return recorded_at
        return min(recorded_at, self.started_at + float(total_ms) / 1000)

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
        """How it failed: status and code, as in `upstream 503 overloaded_error`, else the failure."""
        status = "" if self.upstream_status is None else f"upstream {self.upstream_status}"
        return " ".join(filter(None, (status, self.upstream_code or self.error or self.failure)))

    @property
    def is_failure_of_account(self) -> bool:
        """Whether the attempt failed for a reason other than the request itself."""
        return bool(self.failure) and self.scope != "request"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """An admitted request that is not settled; `decisions` is JSON without the brackets of its list."""

    key_id: str
    model: str
    endpoint: str
    started_ms: int
    decisions: str
    requested_model: str  # the name that the client sent; empty: that is `model`
    is_expired: bool  # its lease expired, and it was charged its upper bound
    queued_ms: int | None = None  # how long it waited until it was admitted; None: it did not wait
    is_waiting: bool = False  # its attempts have failed, and it waits for another account
    team: str = ""  # the key's team at admission
    attribution: Attribution = field(default_factory=Attribution)  # of its key now


@dataclass(frozen=True, slots=True)
class WaitingRequest:
    """A request that waits for an account since `since_ms`, behind `before` others of its pool."""

    key_id: str
    model: str
    endpoint: str
    since_ms: int
    before: int
    requested_model: str = ""  # the name that the client sent; empty: that is `model`
    team: str = ""  # the key's current team
    attribution: Attribution = field(default_factory=Attribution)  # of its key now


class Total(NamedTuple):
    """A hash of totals: of an hour or day (`start`: Unix seconds), or of an API key since its creation."""

    span: str  # HOUR, DAY or EVER
    start: int = 0
    key_id: str = ""
    by_team: bool = False  # whether totals are by team, not by API key


class StoredTotal(NamedTuple):
    """The figures of a total, and the id of the newest entry that they include, '' for none."""

    figures: dict[str, int]
    newest_id: str


def status_name(status: int) -> str:
    """Return the name of an HTTP status, such as `Bad Gateway`; '' if it has none."""
    return HTTPStatus(status).phrase if status in _STATUSES else ""


_STATUSES = frozenset(HTTPStatus)
_ENTRY_ID = re.compile(r"[1-9]\d{0,14}-\d{1,15}", re.ASCII)  # Redis has no entry with the time 0


def is_entry_id(text: str) -> bool:
    """Return whether *text* has the form of an entry's id, in the ledger or the audit log."""
    return _ENTRY_ID.fullmatch(text) is not None


def position_of(entry_id: str) -> tuple[int, int]:
    """Return the parts (Unix ms, number) of an entry's id."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number)
