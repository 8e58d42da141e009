"""How attempts and requests ended: the arguments of the scripts `report` and `settle`, as one record each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from app.records import record
from app.stores.records.accounts import AccountOutcome
from app.stores.records.admission import CalendarWindows
from app.stores.records.ledger import AttemptRow, LedgerRow


class ReportArguments(TypedDict, total=False):
    """An AttemptReport with the field names of report.lua."""

    attempt: int
    mark: AccountOutcome
    tried: Sequence[str]
    never: Sequence[str]
    may_wait: bool
    charge: AttemptRow


@record
class Outcome:
    """The effect of an attempt on its account: a change of state, and what the response revealed."""

    change: AccountOutcome = field(default_factory=AccountOutcome)  # made by app.accounts.outcomes
    windows: Any = None  # usage windows from the response's headers
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
    charge: AttemptRow | None = None  # figures, as in a ledger entry; None: nothing was billed
    tried: Sequence[str] = ()  # ids of accounts that failed: selected only if there is no other
    excluded: Sequence[str] = ()  # ids of tried accounts that are not selected again
    may_wait: bool = False  # whether the request waits for an account that lacks only a free slot

    def arguments(self) -> ReportArguments:
        """Return the fields that the script's argument has in addition to those of admit."""
        arguments: ReportArguments = {
            "attempt": self.attempt,
            "mark": self.outcome.arguments(),
            "tried": self.tried,
            "never": self.excluded,
            "may_wait": self.may_wait,
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
    """What a request used and what it changes in the store; see settle.lua."""

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
