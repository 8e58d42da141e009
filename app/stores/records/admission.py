"""The argument of the script `admit`, and the replies of `admit` and `report`, as one record each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from sys import intern
from typing import Any, NamedTuple, TypedDict

from app.records import record
from app.stores.records.limits import Limit

Amounts = Mapping[str, int]  # limit unit -> amount
CalendarWindows = Mapping[str, Sequence[int]]  # span -> start, end and next end, Unix ms


class AdmitArguments(TypedDict, total=False):
    """An AdmitRequest with the field names of admit.lua."""

    id: str
    key: str
    model: str
    endpoint: str
    wire: str
    ineligible_kinds: Sequence[str]
    demo: bool
    affinity: str
    pin: str
    conversation: str
    ownership: str
    by_ms: int
    ttl_ms: int
    sticky_ms: int
    calendar: CalendarWindows
    bounds: Amounts
    estimates: Amounts
    kinds: list[str]
    unlisted_kinds: Sequence[str]
    accounts: Sequence[str]
    requested: str
    stored: bool
    unenforced_bounds: Amounts
    unreadable: Sequence[str]
    wait: int
    fingerprint: str


@record
class AdmitRequest:
    """
    The reservation and the account that a request needs; see admit.lua.

    Strict limits reserve *bounds* at accounts that enforce the requested length, and *unenforced_bounds* at
    others. Balanced limits reserve *estimates*.
    """

    id: str
    key: str
    model: str
    endpoint: str
    protocol: str  # the only protocol that accounts may speak; empty: any
    ineligible_kinds: Sequence[str]
    account_kinds: Sequence[str]  # kinds that may serve it; empty: all
    accounts: Sequence[str]  # ids of accounts that may serve it, as far as the key allows them; empty: all
    demo: bool
    affinity: str
    account_id: str  # id of the only account that may serve it; empty: any
    conversation: str
    ownership: str
    deadline_ms: int  # Unix ms on the store's clock; the script refuses to run later
    ttl_ms: int
    sticky_ms: int
    calendar: CalendarWindows
    bounds: Amounts
    estimates: Amounts
    unenforced_bounds: Amounts
    is_stored: bool  # whether a stored response is returned, which needs no account
    unreadable: Sequence[str]  # accounts whose credential this process cannot read
    unlisted_kinds: Sequence[str] = ()  # kinds that have the model although they do not list it
    requested: str = ""  # the model as the client named it, if that differs from `model`
    queue_length: int = 0  # longest queue that the request may join; 0: it does not wait
    fingerprint: str = ""  # of the API key's record in use; empty: it was just read

    def arguments(self) -> AdmitArguments:
        """Return the script's JSON argument, without fields that do not apply."""
        arguments: AdmitArguments = {
            "id": self.id,
            "key": self.key,
            "model": self.model,
            "endpoint": self.endpoint,
            "wire": self.protocol,
            "ineligible_kinds": self.ineligible_kinds,
            "demo": self.demo,
            "affinity": self.affinity,
            "pin": self.account_id,
            "conversation": self.conversation,
            "ownership": self.ownership,
            "by_ms": self.deadline_ms,
            "ttl_ms": self.ttl_ms,
            "sticky_ms": self.sticky_ms,
            "calendar": self.calendar,
            "bounds": self.bounds,
            "estimates": self.estimates,
        }
        if self.requested:
            arguments["requested"] = self.requested
        if self.unlisted_kinds:
            arguments["unlisted_kinds"] = self.unlisted_kinds
        if self.account_kinds:
            arguments["kinds"] = list(self.account_kinds)
        if self.accounts:
            arguments["accounts"] = self.accounts
        if self.is_stored:
            arguments["stored"], arguments["bounds"], arguments["estimates"] = True, {}, {}
        elif self.unenforced_bounds != self.bounds:
            arguments["unenforced_bounds"] = self.unenforced_bounds
        if self.unreadable:
            arguments["unreadable"] = self.unreadable
        if self.queue_length:
            arguments["wait"] = self.queue_length
        if self.fingerprint:
            arguments["fingerprint"] = self.fingerprint
        return arguments


class LimitStanding(NamedTuple):
    """The state at admission of a limit that applies to a request; amounts are in its unit."""

    limit_id: str
    unit: str  # a LimitUnit
    period: str
    maximum: int
    remaining: int  # negative if a balanced limit is exceeded
    reset_ms: int  # Unix ms; 0: it does not reset
    scope: str = ""


@record
class Selection:
    """The account that was selected for an attempt, and the state of the limits."""

    account_id: str
    version: int = 0  # of the account's settings and credential
    attempt: int = 1
    now_ms: int = 0  # Unix ms on the store's clock
    may_exceed_length: bool = False  # whether the account may bill more than the requested length
    limits: Sequence[LimitStanding] = ()
    comes_last: bool = False  # the account has failed, and not answered since


class RefusalKind(StrEnum):
    """Why the store selected no account."""

    CHANGED = "changed"  # the key, its team or its pool has changed since it was read
    KEY = "key"
    TEAM = "team"  # the team is disabled
    LIMIT = "limit"
    NO_ACCOUNTS = "no_accounts"
    CONVERSATION = "conversation"
    CALENDAR = "calendar"  # the calendar windows do not cover the store's time
    SETTLED = "settled"
    LATE = "late"
    LEASE = "lease"


@dataclass(frozen=True, slots=True)
class LimitRefusal:
    """The limit that has no room for a request, and its state. Amounts are in the unit of the limit."""

    limit: Limit
    reason: str  # never, unbounded, spent or held
    settled: int = 0
    reserved: int = 0
    amount: int = 0
    wait_ms: float = 0.0  # ms until there is room; 0: unknown, or the limit does not reset
    may_exceed_length: bool = False  # whether only accounts that may bill more than the length are available
    team: str = ""  # the team that has the limit; the key may have moved to it since it was read


class Obstacle(StrEnum):
    """What prevents an account from serving a request that suits it."""

    MISSING = "missing"  # it does not have the model
    PAUSED = "paused"
    DEAD = "dead"  # its credential is refused
    UNREADABLE = "unreadable"  # its credential is sealed with another key
    SPENT = "spent"  # its usage window is used up
    UNPAID = "unpaid"  # its provider requires payment; no wait ends that
    LIMITED = "limited"  # a rate limit applies for some seconds
    FAILING = "failing"
    BUSY = "busy"  # it has as many requests as it may have


@dataclass(frozen=True, slots=True)
class AccountsRefusal:
    """Why no account could serve a request, counted over the pool."""

    total: int = 0
    is_offered: bool = False  # whether some account could serve it, if available
    able: Mapping[str, int] = field(default_factory=dict)  # number of suitable accounts by Obstacle
    able_left: Mapping[str, int] = field(default_factory=dict)  # of these, those that it may still try
    states: Mapping[str, int] = field(default_factory=dict)
    model: str = ""
    is_model_known: bool = True
    wait_ms: float = 0.0  # ms until the first account may be tried again; 0: unknown
    resets_ms: float = 0.0  # Unix ms of the first reset of a spent account; 0: unknown
    rest_ms: float | None = None  # ms until the first resting account is back; None: unknown
    busy: int = 0  # number of accounts that have as many requests as they may have
    candidates: Sequence[Any] = ()  # what admission noted about each account
    waiting_before: int | None = None  # number of requests before it in the queue; None: it does not wait
    is_queue_full: bool = False  # whether it does not wait because the queue is full


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reply that selects no account; `limit` or `accounts` has the details of its kind."""

    kind: RefusalKind
    now_ms: float = 0.0
    reason: str = ""  # the state of a refused key, or the name of a refused team
    limit: LimitRefusal | None = None
    accounts: AccountsRefusal | None = None


def selection_or_refusal(reply: Mapping[str, Any]) -> Selection | Refusal:
    """Return the *reply* of admit or report as a record."""
    if "refused" not in reply:
        return Selection(
            account_id=reply["account"],
            version=reply.get("version", 0),
            attempt=reply.get("attempt", 1),
            now_ms=reply.get("now", 0),
            may_exceed_length=bool(reply.get("unenforced")),
            limits=[_standing(values) for values in reply.get("limits") or ()],
            comes_last=bool(reply.get("unproven")),
        )
    kind = RefusalKind(reply["refused"])
    return Refusal(
        kind=kind,
        now_ms=reply.get("now", 0),
        reason=reply.get("why", ""),
        limit=_limit_refusal(reply) if kind is RefusalKind.LIMIT else None,
        accounts=_accounts_refusal(reply) if kind is RefusalKind.NO_ACCOUNTS else None,
    )


def _standing(values: Sequence[Any]) -> LimitStanding:
    """Return *values* as a record; its texts are the same for many requests, so open ones share them."""
    shared: list[Any] = [intern(value) if type(value) is str else value for value in values]
    return LimitStanding(*shared)


def _limit_refusal(reply: Mapping[str, Any]) -> LimitRefusal:
    return LimitRefusal(
        limit=Limit.from_json(reply["limit"]),
        reason=reply["why"],
        settled=reply["settled"],
        reserved=reply["held"],
        amount=reply["amount"],
        wait_ms=reply["wait_ms"],
        may_exceed_length=bool(reply.get("unenforced")),
        team=reply.get("team", ""),
    )


def _accounts_refusal(reply: Mapping[str, Any]) -> AccountsRefusal:
    return AccountsRefusal(
        total=reply.get("total", 0),
        is_offered=bool(reply.get("offered")),
        able=reply.get("able") or {},
        able_left=reply.get("left") or {},
        states=reply.get("states") or {},
        model=reply.get("model", ""),
        is_model_known=reply.get("known", True),
        wait_ms=reply.get("wait_ms") or 0,
        resets_ms=reply.get("resets_ms") or 0,
        rest_ms=reply.get("rest_ms"),
        busy=reply.get("busy") or 0,
        candidates=reply.get("seen") or (),
        waiting_before=reply.get("queued"),
        is_queue_full=reply.get("queue_full", False),
    )
