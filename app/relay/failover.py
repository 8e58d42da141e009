"""Failover: try accounts of the pool for one admitted request until one of the attempts succeeds."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from app.accounts.account import Account
from app.accounts.failures import Failure
from app.accounts.outcomes import OK
from app.accounts.request_settings import NO_SETTINGS
from app.accounts.usage_windows import windows_from_headers
from app.accounts.verdicts import Verdict, classify, judge
from app.errors import NoAccounts, UpstreamError
from app.relay.attempt import Attempt, EventBatches
from app.relay.context import RequestContext
from app.relay.failed_accounts import FailedAccounts
from app.relay.failover_inputs import FailoverActions, FailoverPolicy
from app.relay.model_names import events_of
from app.relay.pause import pause
from app.relay.progress import RequestProgress
from app.relay.reported_failure import AccountFailure
from app.relay.request_record import RequestRecord
from app.relay.reselection import Reselection
from app.relay.retry_budget import RetryTarget
from app.relay.retry_policy import (
    CORE,
    FIRST_SECONDS,
    MAX_ATTEMPTS,
    MAX_RESTARTS,
    MAX_TRIES,
    MAX_TRIES_AT_FIRST,
    PERMIT_POLL_SECONDS,
    RESERVED_FOR_FALLBACKS,
    Phase,
    decide,
    for_client,
)
from app.relay.timing import Timing
from app.stores.records.accounts import AccountOutcome
from app.stores.records.admission import Selection
from app.stores.records.ledger import Action, Stop
from app.stores.records.settlement import Outcome
from app.translation.resume.delivered import ResumedStream

# Failures that do not show whether an account answers other requests.
NOT_OF_THE_ACCOUNT = (Failure.CALLER, Failure.UNSUPPORTED, Failure.DIFFERS, Failure.DEADLINE)


class Failover:
    """Tries accounts until one of the attempts succeeds or no further one is allowed."""

    def __init__(
        self,
        context: RequestContext,
        record: RequestRecord,
        progress: RequestProgress,
        actions: FailoverActions,
        policy: FailoverPolicy,
        timing: Timing,
    ) -> None:
        self._context = context
        self._record = record
        self._progress = progress
        self._actions = actions
        self._policy = policy
        self._budget = policy.budget
        self._timing = timing
        self._clock = timing.monotonic
        self._started = timing.monotonic()
        self._renewals: dict[str, Account | None] = {}  # results of token renewals, by account id
        self._restarts = 0  # how often a broken stream was continued at this model
        self._failed: UpstreamError | None = None  # what the client receives if no further attempt follows

    @cached_property
    def _accounts(self) -> FailedAccounts:
        return FailedAccounts(self._context.request.model, self._timing)

    @cached_property
    def _reselection(self) -> Reselection:
        return Reselection(
            self._context,
            self._record,
            self._progress,
            self._actions,
            self._policy,
            self._timing,
            self._accounts,
        )

    def events(self, selection: Selection) -> EventBatches:
        """Yield what `Attempt.events` yields, for one attempt after the other, the first at *selection*."""
        renewed = None
        while True:
            if is_retry := renewed is None and self._progress.attempts > 0:
                yield from self._wait_for_permit(selection.account_id)
            try:
                with self._counted(selection.account_id, is_retry=is_retry):
                    attempt = self._actions.begin(selection, self._resumed())
                    self._progress.attempts += 1
                    self._record.start_attempt(attempt, selection)
                    yield from self._deliver(attempt)
                self._record.outcome = Outcome(OK, self._windows(attempt))
                return
            except UpstreamError as error:
                self._record.fail_attempt(error)
                if renewed := self._renew(attempt, error) or self._adapt(attempt, error):
                    selection = replace(selection, version=renewed.version)
                else:
                    selection = yield from self._next_selection(selection, attempt, error)

    def _resumed(self) -> ResumedStream | None:
        delivered = self._progress.delivered
        return ResumedStream(delivered) if delivered is not None and self._progress.committed else None

    def _target(self, account_id: str) -> RetryTarget:
        return account_id, self._context.request.model

    def _wait_for_permit(self, account_id: str) -> Iterator[None]:
        """
        Wait until the retry budget has room for an attempt at *account_id*.

        It waits only while a retry of another request is under way at the account: if that one succeeds, this
        one costs nothing. Raises the last failure, or NoAccounts where this model was not tried yet.
        """
        key, target = self._context.caller.key.id, self._target(account_id)
        again = len(self._record.attempts) > 1
        while not self._budget.take(key, target, again=again):
            wait = PERMIT_POLL_SECONDS * self._timing.random.uniform(0.5, 1.5)
            if not self._budget.has_open_retry(target) or not self._progress.take_wait(wait, self._clock()):
                self._record.stopped = Stop.BUDGET.value
                raise self._failed or NoAccounts("Too many requests of this pool are being retried already")
            yield from pause(wait, self._context, self._progress, self._policy.keepalive_seconds, self._clock)

    @contextmanager
    def _counted(self, account_id: str, *, is_retry: bool) -> Iterator[None]:
        """Count how the attempt inside this block ends; a client that leaves is no failure of the account."""
        target, failed = self._target(account_id), False
        try:
            yield
        except UpstreamError as error:
            failed = classify(error) not in NOT_OF_THE_ACCOUNT
            raise
        finally:
            if is_retry:
                self._budget.end(self._context.caller.key.id, target, failed=failed)
            if failed:
                self._budget.note_failure(target)

    def _deliver(self, attempt: Attempt) -> EventBatches:
        """Yield the events of *attempt*, and record them: another attempt may have to continue them."""
        progress, answered = self._progress, False
        has_settings = attempt.account.settings is not NO_SETTINGS
        with closing(events_of(attempt) if has_settings else attempt.events()) as arriving:
            for events in arriving:
                if events:
                    progress.committed = True
                    if progress.delivered is not None:
                        progress.delivered.record(events)
                    if not answered:
                        answered = True
                        self._record.note_first_event(self._clock() - self._started)
                        self._budget.note_response(self._target(attempt.account.id))
                yield events
                del events  # not retained while more is waited for

    def _renew(self, attempt: Attempt, error: UpstreamError) -> Account | None:
        """Return the account with a new token if its token was refused, else None; once per account."""
        account = attempt.account
        if account.id in self._renewals or attempt.committed:
            return None
        if self._record.charge is not None:
            return None  # it may be billed, so a repetition needs a reservation
        if self._verdict(attempt, error).failure is not Failure.CREDENTIAL:
            return None
        renewed = self._renewals[account.id] = self._actions.renew(account)
        return renewed

    def _adapt(self, attempt: Attempt, error: UpstreamError) -> Account | None:
        """Return the account if the request can be repeated there without what it refused, else None."""
        if self._record.charge is not None:
            return None  # it may be billed, see `_renew`
        adapted = self._actions.adapt(attempt, error)
        if adapted is None:
            return None
        self._record.note_adaptation(adapted.names)
        return adapted.account

    def _next_selection(
        self, selection: Selection, attempt: Attempt, error: UpstreamError
    ) -> Generator[None, None, Selection]:
        """Report a failed attempt and return the next selection, or raise what the client receives."""
        verdict = self._verdict(attempt, error)
        action = decide(verdict.failure, Phase.AFTER if attempt.committed else Phase.BEFORE)
        is_confirmed = self._accounts.note_and_check_confirmed(verdict, action, attempt.account)
        change = self._change(attempt, error, verdict)
        self._record.outcome = Outcome(change, self._windows(attempt), self._record.exceeded())
        request = self._context.request
        own = for_client(error, verdict, request.client_protocol, request.model)
        reported = self._accounts.note(
            AccountFailure(selection.account_id, verdict, error, own, selection.comes_last),
            was_delivered=attempt.committed,
        )
        failed = self._failed = reported.for_client
        stalled = attempt.stalled
        if is_confirmed and action is Action.OTHER_ONCE:
            raise self._record.stop(Stop.SAME_FAILURE, own)  # two accounts have refused the request itself
        if action is Action.FAIL:
            raise failed
        if is_confirmed:
            raise self._record.stop(Stop.SAME_FAILURE, failed)
        if self._is_exhausted():
            raise self._record.stop(Stop.ATTEMPTS, failed)
        if action is Action.RESTART and not self._take_restart(stalled=stalled):
            raise self._record.stop(Stop.RESTARTS, failed)
        demands_long_wait = (error.retry_after_seconds or 0.0) > self._progress.wait_left()
        would_fail_again = action is Action.OTHER_ACCOUNT_ONLY or stalled or demands_long_wait
        self._accounts.add(selection.account_id, verdict.failure, error, would_fail_again=would_fail_again)
        max_accounts = self._policy.max_accounts
        if max_accounts is not None and len(set(self._accounts.tried)) >= max_accounts:
            raise self._record.stop(Stop.ACCOUNTS, failed)
        following = yield from self._reselection.select(selection, reported)
        if action is Action.RESTART:
            self._progress.note_continuation(stalled=stalled)
        return following

    def _verdict(self, attempt: Attempt, error: UpstreamError) -> Verdict:
        return judge(error, attempt.account.kind, self._context.request.model)

    def _change(self, attempt: Attempt, error: UpstreamError, verdict: Verdict) -> AccountOutcome:
        """Return what *error* changes in the stored account."""
        account = attempt.account
        if account.signed_in and self._renewals.get(account.id, account) is None:
            return {}  # the token could not be renewed, which is stored already
        is_core = self._context.request.client_protocol in CORE
        unanswered = self._accounts.unanswered(account, verdict, is_core=is_core)
        return self._accounts.change(account, error, verdict) | unanswered

    def _windows(self, attempt: Attempt) -> Any:
        """Return the account's usage windows, as the response headers report them; None if they do not."""
        return windows_from_headers(attempt.response.headers, self._timing.unix())

    def _take_restart(self, *, stalled: bool) -> bool:
        """Return whether a broken stream may be continued; count it: once per model, once after a stall."""
        if self._restarts >= MAX_RESTARTS or not self._progress.may_continue(stalled=stalled):
            return False
        self._restarts += 1
        return True

    def _is_exhausted(self) -> bool:
        """Return whether no attempt is left for this model: some are reserved for the caller's fallbacks."""
        is_early = self._clock() - self._started < FIRST_SECONDS
        reserved = min(RESERVED_FOR_FALLBACKS, self._progress.fallbacks_left)
        left = MAX_ATTEMPTS - self._progress.attempts - reserved
        return left <= 0 or len(self._record.attempts) >= (MAX_TRIES_AT_FIRST if is_early else MAX_TRIES)
