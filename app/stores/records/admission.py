"""What the scripts admit, report and settle take and return: one record per argument and reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypedDict

from app.records import record
from app.stores.records.accounts import AccountOutcome
from app.stores.records.ledger import AttemptRow, LedgerRow
from app.stores.records.limits import Limit

Amounts = Mapping[str, int]  # by limit unit
CalendarWindows = Mapping[str, Sequence[int]]  # span -> start, end and next end, Unix ms


class AdmitArguments(TypedDict, total=False):
    """An AdmitRequest, by the names of admit.lua."""

    id: str
    key: str
    model: str
    endpoint: str
    wire: str
    unfit_kinds: Sequence[str]
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
    accounts: Sequence[str]
    requested: str
    stored: bool
    unenforced_bounds: Amounts
    unreadable: Sequence[str]
    wait: int
    fingerprint: str


class ReportArguments(TypedDict, total=False):
    """An AttemptReport, by the names of report.lua."""

    attempt: int
    mark: AccountOutcome
    tried: Sequence[str]
    never: Sequence[str]
    charge: AttemptRow


@record
class AdmitRequest:
    """
    What a request needs, as admit.lua documents it.

    *bounds* are reserved where an account enforces the requested length, *unenforced_bounds*, if they
    differ, where it does not; *estimates* are what balanced limits reserve.
    """

    id: str
    key: str
    model: str
    endpoint: str
    protocol: str  # the only protocol that accounts may speak; empty: any
    unfit_kinds: Sequence[str]
    account_kinds: Sequence[str]  # empty: all
    accounts: Sequence[str]  # ids of those that may serve it, if the key allows them too; empty: all
    demo: bool
    affinity: str
    account_id: str  # the only account that may serve it; empty: any
    conversation: str
    ownership: str
    deadline_ms: int  # Unix ms on the store's clock; an admission after it is refused
    ttl_ms: int
    sticky_ms: int
    calendar: CalendarWindows
    bounds: Amounts
    estimates: Amounts
    unenforced_bounds: Amounts
    is_stored: bool  # whether a stored response is returned, which needs no account
    unreadable: Sequence[str]  # accounts whose credential this process cannot read
    requested: str = ""  # the model as the client named it, where that is not `model`
    queue_length: int = 0  # it waits for an account unless so many requests do already; 0: it does not wait
    fingerprint: str = ""  # of the key as it is assumed to be; empty: it was just read

    def arguments(self) -> AdmitArguments:
        """Return the script's JSON argument; what does not apply is absent."""
        arguments: AdmitArguments = {
            "id": self.id,
            "key": self.key,
            "model": self.model,
            "endpoint": self.endpoint,
            "wire": self.protocol,
            "unfit_kinds": self.unfit_kinds,
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
    """A limit that applies to a request, as it stood at admission; amounts are in its unit."""

    limit_id: str
    unit: str  # of `LimitUnit`
    period: str
    maximum: int
    remaining: int  # negative where a balanced limit was passed
    reset_ms: int  # Unix ms; 0: it does not reset
    scope: str = ""


@record
class Selection:
    """The account that was selected for an attempt, and the limits as they stand."""

    account_id: str
    version: int = 0  # of the account's credential
    attempt: int = 1
    now_ms: int = 0  # on the store's clock
    is_unenforced: bool = False  # whether the account may bill more than the requested length
    limits: Sequence[LimitStanding] = ()


class RefusalKind(StrEnum):
    """Why the store selected no account."""

    CHANGED = "changed"  # the key, its team or its pool is not as this process knows it
    KEY = "key"
    TEAM = "team"  # it is disabled
    LIMIT = "limit"
    NO_ACCOUNTS = "no_accounts"
    CONVERSATION = "conversation"
    CALENDAR = "calendar"  # the calendar windows do not cover the store's time
    SETTLED = "settled"
    LATE = "late"
    LEASE = "lease"


@dataclass(frozen=True, slots=True)
class LimitRefusal:
    """The limit without room for a request, as it stands. Amounts are in the unit of the limit."""

    limit: Limit
    reason: str  # never, unbounded, spent or held
    settled: int = 0
    reserved: int = 0
    amount: int = 0
    wait_ms: float = 0.0  # until there is room; 0: unknown, or the limit does not reset
    is_unenforced: bool = False  # whether only accounts that may bill more than the length are available
    team: str = ""  # whose limit it is, if a team's: that of the key now, which may have been moved


class Obstacle(StrEnum):
    """What prevents an account from serving a request that suits it."""

    MISSING = "missing"  # it does not have the model
    PAUSED = "paused"
    DEAD = "dead"  # its credential is refused
    UNREADABLE = "unreadable"  # its credential is sealed with another key
    SPENT = "spent"  # its usage window is used up
    LIMITED = "limited"  # by a rate limit, for seconds
    FAILING = "failing"
    BUSY = "busy"  # it is at its cap


@dataclass(frozen=True, slots=True)
class AccountsRefusal:
    """Why no account could serve a request, counted over the pool."""

    total: int = 0
    is_offered: bool = False  # whether an account could serve it if it were available
    able: Mapping[str, int] = field(default_factory=dict)  # suitable accounts by their Obstacle
    states: Mapping[str, int] = field(default_factory=dict)
    model: str = ""
    is_model_known: bool = True
    wait_ms: float = 0.0  # until the first one may be tried again; 0: unknown
    resets_ms: float = 0.0  # Unix ms of the first reset of a spent one; 0: unknown
    rest_ms: float | None = None  # until the first one is back; None: unknown
    busy: int = 0  # accounts that are at their cap
    candidates: Sequence[Any] = ()  # what admission noted of each account
    waiting_before: int | None = None  # requests that wait before this one; None: it does not wait
    is_queue_full: bool = False  # why it does not: as many as may wait do so already


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reply that selects no account; `limit` or `accounts` has the details of its kind."""

    kind: RefusalKind
    now_ms: float = 0.0
    reason: str = ""  # of a refused key: its state; of a refused team: its name
    limit: LimitRefusal | None = None
    accounts: AccountsRefusal | None = None


@record
class Outcome:
    """What an attempt does to its account: a state change, and what the response revealed."""

    change: AccountOutcome = field(default_factory=AccountOutcome)  # as app.accounts.outcomes makes it
    windows: Any = None  # of usage, as the response's headers report them
    exceeded: str | None = None  # JSON: what was billed beyond the requested length

    def arguments(self) -> AccountOutcome:
        """Return the `mark` of a script's argument."""
        arguments = self.change.copy()
        if self.windows is not None:
            arguments["windows"] = self.windows
        if self.exceeded:
            arguments["exceeded"] = self.exceeded
        return arguments


NO_OUTCOME = Outcome()


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """How an attempt ended, as report.lua documents it."""

    attempt: int
    outcome: Outcome = NO_OUTCOME
    charge: AttemptRow | None = None  # figures, as in a ledger entry; None: billed nothing
    tried: Sequence[str] = ()  # accounts that failed: selected again only if there is no other
    excluded: Sequence[str] = ()  # tried accounts that are not selected again

    def arguments(self) -> ReportArguments:
        """Return what the script's argument has in addition to that of admit."""
        arguments: ReportArguments = {
            "attempt": self.attempt,
            "mark": self.outcome.arguments(),
            "tried": self.tried,
            "never": self.excluded,
        }
        if self.charge:
            arguments["charge"] = self.charge
        return arguments


class SettlementJson(TypedDict):
    """A Settlement as settle.lua takes it, and as the spool and the dead letters store it."""

    id: str
    mark: AccountOutcome
    row: LedgerRow
    calendar: CalendarWindows
    ownership: str
    conversation: str


@record
class Settlement:
    """What a request used, and what it leaves behind, as settle.lua documents it."""

    id: str
    outcome: Outcome
    row: LedgerRow
    calendar: CalendarWindows
    ownership: str = ""
    conversation: str = ""

    def arguments(self) -> SettlementJson:
        """Return the script's JSON argument."""
        return {
            "id": self.id,
            "mark": self.outcome.arguments(),
            "row": self.row,
            "calendar": self.calendar,
            "ownership": self.ownership,
            "conversation": self.conversation,
        }


def selection_or_refusal(reply: Mapping[str, Any]) -> Selection | Refusal:
    """Return the *reply* of admit or report as a record."""
    if "refused" not in reply:
        return Selection(
            account_id=reply["account"],
            version=reply.get("version", 0),
            attempt=reply.get("attempt", 1),
            now_ms=reply.get("now", 0),
            is_unenforced=bool(reply.get("unenforced")),
            limits=[LimitStanding(*standing) for standing in reply.get("limits") or ()],
        )
    kind = RefusalKind(reply["refused"])
    return Refusal(
        kind=kind,
        now_ms=reply.get("now", 0),
        reason=reply.get("why", ""),
        limit=_limit_refusal(reply) if kind is RefusalKind.LIMIT else None,
        accounts=_accounts_refusal(reply) if kind is RefusalKind.NO_ACCOUNTS else None,
    )


def _limit_refusal(reply: Mapping[str, Any]) -> LimitRefusal:
    return LimitRefusal(
        limit=Limit.from_json(reply["limit"]),
        reason=reply["why"],
        settled=reply["settled"],
        reserved=reply["held"],
        amount=reply["amount"],
        wait_ms=reply["wait_ms"],
        is_unenforced=bool(reply.get("unenforced")),
        team=reply.get("team", ""),
    )


def _accounts_refusal(reply: Mapping[str, Any]) -> AccountsRefusal:
    return AccountsRefusal(
        total=reply.get("total", 0),
        is_offered=bool(reply.get("offered")),
        able=reply.get("able") or {},
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
