"""The states of accounts and their models, and figures about the accounts of all pools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict


class AccountState(StrEnum):
    """The states of a stored account; the scripts write no other."""

    ACTIVE = "active"
    SUSPECTED = "suspected"
    BURST_LIMITED = "burst_limited"
    WINDOW_SPENT = "window_spent"
    PAYMENT_REQUIRED = "payment_required"  # tested again at `until_ms`; no reset is known
    CREDENTIAL_EXPIRED = "credential_expired"
    CREDENTIAL_DEAD = "credential_dead"
    PAUSED = "paused"


FAILURE_PREFIX = "failed:"  # `failed:<failure>`: how many attempts failed so; see lua/attempts.lua
REFUSED_PREFIX = "refuses:"  # `refuses:<protocol>:<field>:<model>`: since when its server refuses it, Unix ms
# JSON: names of the fields of a usage object without known counts; `…_at`: when
UNKNOWN_USAGE = "unknown_usage"
# Until an operator or a successful test changes it
PAUSED_BY_OPERATOR = "paused by an operator"  # the reason of an account that an operator paused
DEMO_OFF = "demo off"  # of the demo account where `poolgate up` was started without --demo
OUT_OF_USE = (AccountState.PAUSED, AccountState.CREDENTIAL_DEAD)


class ModelState(StrEnum):
    """Why one model rests at one account; the scripts write no other."""

    MISSING = "missing"
    OVERLOADED = "overloaded"
    LIMITED = "limited"
    SUSPECTED = "suspected"


@dataclass(frozen=True, slots=True)
class ModelRest:
    """A model that gets no requests at an account for a while, `until_ms` (Unix ms), and why."""

    model: str
    state: ModelState
    until_ms: int


class AccountOutcome(TypedDict, total=False):
    """
    What a response does to its account, by the names that `apply_outcome` in lua/outcomes.lua reads.

    It has either {ok}, or a new *state*, or the rest of one *model*, or *soft*, a suspicion. Each may have
    the *windows* that the response reported, and a failure *unanswered*, the `Failure` that shows that the
    account did not answer. Waits are in milliseconds.
    """

    ok: bool
    state: str
    reason: str
    wait_ms: int
    retest_wait_ms: int
    model: str
    why: str
    soft: bool
    asked: str
    base_ms: int
    most_ms: int
    windows: Sequence[Sequence[float] | None]  # [used percent, reset (Unix ms), length (s) if known]
    exceeded: str  # JSON: what was billed beyond the requested length
    unanswered: str


@dataclass(frozen=True, slots=True)
class AccountModels:
    """
    The models of one account.

    *names* is None while its upstream has not listed them: it may have any model.
    """

    kind: str
    names: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class AccountCounts:
    """The state of one account, and its attempts since it was added, by how they failed."""

    pool: str
    name: str
    state: str
    attempts: int
    rescues: int  # failed attempts that another account made good
    failures: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """The accounts of all pools, and the number of requests that hold a lease."""

    accounts: tuple[AccountCounts, ...]
    leases: int

    def by_state(self) -> dict[str, int]:
        """Return the number of accounts in each state, every AccountState among them."""
        return dict.fromkeys(AccountState, 0) | Counter(account.state for account in self.accounts)
