"""The accounts that have failed a request: what each failure changes, and which may be tried again."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.account import Account
from app.accounts.failures import Failure, Scope
from app.accounts.job_results import SHOWS_NO_ANSWER
from app.accounts.outcomes import outcome_from_error, suspected_outcome
from app.accounts.verdicts import Verdict
from app.errors import UpstreamError, UpstreamRejected
from app.relay.reported_failure import AccountFailure, most_informative
from app.relay.retry_policy import pause_seconds
from app.relay.timing import Timing
from app.stores.records.accounts import AccountOutcome
from app.stores.records.ledger import Action

LIMITED = frozenset({Failure.BURST_LIMITED, Failure.MODEL_LIMITED})  # the store knows when these are over
# Failures that the request itself may have caused, at whichever account.
CAUSED_BY_REQUESTS = frozenset(
    {Failure.RESET, Failure.SERVER_ERROR, Failure.BLOCKED, Failure.CUT, Failure.GARBLED}
)
# Failures that show that an account does not answer, whatever the request was. A wrong base URL often has
# neither the endpoint nor a list of models.
SHOWS_NO_RESPONSE = SHOWS_NO_ANSWER - CAUSED_BY_REQUESTS - {Failure.SLOW} | {Failure.ENDPOINT_MISSING}
PAYMENT_REQUIRED = 402


@dataclass(frozen=True, slots=True)
class _AccountFailure:
    """The last failure of an account within this request; `at` is on the monotonic clock."""

    failure: Failure
    error: UpstreamError
    at: float


class FailedAccounts:
    """
    The accounts that have failed one request for *model*.

    `tried` has their ids, once for each failure; `excluded` has those that would fail again.
    """

    def __init__(self, model: str, timing: Timing) -> None:
        self._model = model
        self._timing = timing
        self.tried: list[str] = []
        self.excluded: list[str] = []
        self._has_unsupported = False  # an account refused what others may support
        self._failures: dict[str, _AccountFailure] = {}
        self._taken_out: dict[Scope, str] = {}  # account taken out by this request, by scope
        self._reportable: dict[str, AccountFailure] = {}  # newest failures, by account id, the newest last
        self._unanswered = ""  # account that did not answer this request, '' while there is none

    def note(self, failure: AccountFailure, *, was_delivered: bool) -> AccountFailure:
        """
        Record *failure*, and return the failure that the client receives if no account answers.

        If a part of the response *was_delivered*, no earlier failure explains why it broke off.
        """
        if was_delivered:
            self._reportable.clear()
        self._reportable.pop(failure.account_id, None)
        self._reportable[failure.account_id] = failure
        return most_informative(tuple(self._reportable.values()))

    def note_and_check_confirmed(self, verdict: Verdict, action: Action, account: Account) -> bool:
        """
        Record a failure, and return whether another account has already failed in the same way.

        If two accounts refuse the same request, the request is the probable cause. So a request never brings
        a second account into a state that needs attention.
        """
        if action is Action.OTHER_ONCE:
            is_second = self._has_unsupported
            self._has_unsupported = True
            return is_second
        return (
            verdict.consequence.scope is Scope.CREDENTIAL
            and self._taken_out.get(Scope.CREDENTIAL, account.id) != account.id
        )

    def change(self, account: Account, error: UpstreamError, verdict: Verdict) -> AccountOutcome:
        """
        Return what *error* changes in the stored *account*.

        A request takes out at most one account per scope.
        """
        scope = verdict.consequence.scope
        counts = scope is Scope.CREDENTIAL or verdict.failure in CAUSED_BY_REQUESTS or _may_be_price(error)
        if counts and self._taken_out.setdefault(scope, account.id) != account.id:
            return suspected_outcome(verdict.failure, self._model) if scope is Scope.CREDENTIAL else {}
        return outcome_from_error(error, self._model, self._timing.unix(), kind=account.kind)

    def unanswered(self, account: Account, verdict: Verdict, *, is_core: bool) -> AccountOutcome:
        """
        Return what a failure adds to the outcome: that the *account* does not answer, if it shows that.

        Only the endpoints that every account serves (*is_core*) show it, and only of one account per request:
        the request may be the cause.
        """
        is_shown = verdict.failure in SHOWS_NO_RESPONSE and is_core
        if not is_shown or self._unanswered not in ("", account.id):
            return {}
        self._unanswered = account.id
        return {"unanswered": verdict.failure.value}

    def add(self, account_id: str, failure: Failure, error: UpstreamError, *, would_fail_again: bool) -> None:
        """Record that the account has failed, by *error*."""
        self._failures[account_id] = _AccountFailure(failure, error, self._timing.monotonic())
        self.tried.append(account_id)
        if would_fail_again:
            self.excluded.append(account_id)

    def pause_before(self, account_id: str, attempt: int) -> float:
        """
        Return the seconds before the account is tried.

        After a failure it is the pause that the account requested.
        """
        last = self._failures.get(account_id)
        if last is None or last.failure in LIMITED:
            return 0.0  # the store selects a limited account only once its limit is over
        pause_end = last.at + pause_seconds(attempt, last.error, self._timing.random)
        return max(0.0, pause_end - self._timing.monotonic())


def _may_be_price(error: UpstreamError) -> bool:
    """Return whether *error* may only mean that this request costs more than the remaining credit."""
    return (
        isinstance(error, UpstreamRejected)
        and error.upstream_status == PAYMENT_REQUIRED
        and error.retry_after_seconds is None
        and error.resets_at is None
    )
