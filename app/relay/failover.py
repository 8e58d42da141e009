"""The way of one admitted request over the accounts of its pool."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

from app.accounts.account import Account
from app.accounts.failures import Failure, Reply, Scope
from app.accounts.outcomes import OK, mark_for, suspicion
from app.accounts.usage_windows import windows_from_headers
from app.accounts.verdicts import Verdict, classify, judge
from app.config import TimeLimits
from app.errors import GatewayError, NoAccounts, StoreUnavailable, UpstreamError, UpstreamRejected
from app.relay.attempt import Ticks
from app.relay.context import RequestContext
from app.relay.endpoint_types import AnyAttempt
from app.relay.no_account import pool_spent
from app.relay.progress import RequestProgress
from app.relay.refusals import not_tried_again
from app.relay.request_record import RequestRecord
from app.relay.retry_budget import RetryBudget, Target
from app.relay.retry_policy import (
    FIRST_SECONDS,
    KEPT_FOR_FALLBACKS,
    MAX_ATTEMPTS,
    MAX_RESTARTS,
    MAX_TRIES,
    MAX_TRIES_AT_FIRST,
    MAX_WAIT_SECONDS,
    PERMIT_POLL_SECONDS,
    WAKE_JITTER,
    Action,
    Stage,
    decide,
    for_client,
    pause_seconds,
)
from app.translation.resume.delivered import ResumedStream

LIMITED = frozenset({Failure.BURST_LIMITED, Failure.MODEL_LIMITED})  # the store knows when these are over
# Suspicions that a request may have brought about by itself, wherever it was sent.
CAUSED_BY_REQUESTS = frozenset(
    {Failure.RESET, Failure.SERVER_ERROR, Failure.BLOCKED, Failure.CUT, Failure.GARBLED}
)

Report = Callable[[dict[str, Any]], dict[str, Any]]
Begin = Callable[[dict[str, Any], ResumedStream | None], AnyAttempt]

PAYMENT_REQUIRED = 402
# Failures that say nothing of whether an account answers others.
NOT_THE_ACCOUNTS = (Failure.CALLER, Failure.UNSUPPORTED, Failure.DIFFERS, Failure.DEADLINE)


class Failover:
    """
    Tries accounts until one answers, or none is left to try.

    *begin* makes the attempt that a choice of the store calls for, *report* reports to the store how
    one went and returns the next choice, *renew* gets a new token for an account that has a sign-in.
    *context* and *budget* bound what all models and all requests may add up to.
    """

    def __init__(
        self,
        context: RequestContext,
        record: RequestRecord,
        *,
        begin: Begin,
        report: Report,
        renew: Callable[[Account], Account | None],
        progress: RequestProgress,
        budget: RetryBudget,
        limits: TimeLimits,
        clock: Callable[[], float],
        chance: random.Random,
        max_accounts: int | None = None,
    ) -> None:
        self._context = context
        self._record = record
        self._begin = begin
        self._report = report
        self._progress = progress
        self._budget = budget
        self._limits = limits
        self._clock = clock
        self._chance = chance
        self._max_accounts = max_accounts
        self._started = clock()
        self._renew = renew
        self._renewals: dict[str, Account | None] = {}  # what came of each, by account
        self._restarts = 0  # of this model, after a cut
        self._failed: UpstreamError | None = None  # how the last attempt failed, as callers may see it
        self._tried: list[str] = []
        self._never: list[str] = []  # of them, those that would answer the same again
        self._unsupported = False  # whether an account has refused what others may support
        self._failures: dict[
            str, tuple[Failure, UpstreamError, float]
        ] = {}  # the last of each account, and when
        self._harmed: dict[Scope, str] = {}  # the account that this request has taken out, by scope

    def events(self, choice: dict[str, Any]) -> Ticks:
        """Yield what `Attempt.events` yields, of the attempts in turn; begin with *choice*."""
        renewed = None
        while True:
            if is_retry := renewed is None and self._progress.attempts > 0:
                yield from self._permission(choice["account"])
            try:
                with self._counted(choice["account"], is_retry=is_retry):
                    attempt = self._begin(choice, self._resumed())
                    self._progress.attempts += 1
                    self._record.attempt(attempt, choice)
                    yield from self._delivering(attempt)
                self._record.mark = OK | _windows_told(attempt)
                return
            except UpstreamError as error:
                self._record.attempt_failed(error)
                if renewed := self._renewed(attempt, error):
                    choice = {**choice, "version": renewed.version}
                else:
                    choice = yield from self._next(choice, attempt, error)

    def _resumed(self) -> ResumedStream | None:
        delivered = self._progress.delivered
        return ResumedStream(delivered) if delivered is not None and self._progress.committed else None

    def _target(self, account_id: str) -> Target:
        return account_id, self._context.model

    def _permission(self, account_id: str) -> Iterator[None]:
        """
        Wait until the retry budget has room for an attempt at *account_id*.

        It is worth waiting while somebody else's retry is under way there: if that one is answered, this
        one is free. Raises the last failure, or NoAccounts where this model was not tried yet.
        """
        key, target = self._context.key.id, self._target(account_id)
        again = len(self._record.attempts) > 1
        while not self._budget.take(key, target, again=again):
            wait = PERMIT_POLL_SECONDS * self._chance.uniform(0.5, 1.5)
            if not self._budget.is_tried(target) or not self._may_wait(wait):
                raise self._failed or NoAccounts("Too many requests of this pool are being retried already")
            yield from self._pause(wait)

    @contextmanager
    def _counted(self, account_id: str, *, is_retry: bool) -> Iterator[None]:
        """Count an attempt's end, however it comes; a caller who leaves says nothing of the account."""
        target, failed = self._target(account_id), False
        try:
            yield
        except UpstreamError as error:
            failed = classify(error) not in NOT_THE_ACCOUNTS
            raise
        finally:
            if is_retry:
                self._budget.end(self._context.key.id, target, failed=failed)
            if failed:
                self._budget.failed(target)

    def _delivering(self, attempt: AnyAttempt) -> Ticks:
        """Note what the caller is given, where that may have to be continued."""
        progress, answered = self._progress, False
        with closing(attempt.events()) as arriving:
            for events in arriving:
                if events:
                    self._record.first_event(self._clock() - self._started)
                    progress.committed = True
                    if progress.delivered is not None:
                        progress.delivered.record(events)
                    if not answered:
                        answered = True
                        self._budget.answered(self._target(attempt.account.id))
                yield events

    def _renewed(self, attempt: AnyAttempt, error: UpstreamError) -> Account | None:
        """Return the account with a new token, where an old one was refused: once per account."""
        account = attempt.account
        if account.id in self._renewals or attempt.committed:
            return None
        if self._record.charge is not None:
            return None  # it may be billed: another attempt needs a reservation of its own
        if self._verdict(attempt, error).failure is not Failure.CREDENTIAL:
            return None
        renewed = self._renewals[account.id] = self._renew(account)
        return renewed

    def _next(
        self, choice: dict[str, Any], attempt: AnyAttempt, error: UpstreamError
    ) -> Generator[None, None, dict[str, Any]]:
        """Report a failed attempt and return the next choice, or raise what the client is told."""
        verdict = self._verdict(attempt, error)
        action = decide(verdict.failure, Stage.AFTER if attempt.committed else Stage.BEFORE)
        agreed = self._agrees(verdict, action, attempt.account)
        self._record.mark = self._mark(attempt, error, verdict) | _windows_told(attempt)
        self._record.mark |= self._record.exceeded()
        told = self._failed = for_client(error, verdict, self._context.surface, self._context.model)
        if action is Action.FAIL or agreed or self._spent():
            raise told
        stalled = attempt.stalled
        if action is Action.RESTART and not self._restarts_after(stalled=stalled):
            raise told
        self._failures[choice["account"]] = verdict.failure, error, self._clock()
        self._exclude(choice["account"], action, error, stalled=stalled)
        if self._max_accounts is not None and len(set(self._tried)) >= self._max_accounts:
            raise told
        while True:
            reply = self._told(choice, told)
            if reply.get("refused") == "limit":
                raise not_tried_again(told, reply)
            wait = self._wait_for(reply, choice)
            if wait is None or not self._may_wait(wait):
                raise _of_pool(reply, verdict, error) or told
            yield from self._pause(wait)
            if "refused" not in reply:
                if action is Action.RESTART:
                    self._progress.continuing(stalled=stalled)
                return reply

    def _verdict(self, attempt: AnyAttempt, error: UpstreamError) -> Verdict:
        return judge(error, attempt.account.kind, self._context.model)

    def _agrees(self, verdict: Verdict, action: Action, account: Account) -> bool:
        """
        Return whether another account has already answered the same, which settles it.

        Two accounts that refuse the same request show something about the request: whatever one
        prompt says, it takes no second account into a state that needs attention.
        """
        if action is Action.OTHER_ONCE:
            settled = self._unsupported
            self._unsupported = True
            return settled
        return (
            verdict.consequence.scope is Scope.CREDENTIAL
            and self._harmed.get(Scope.CREDENTIAL, account.id) != account.id
        )

    def _mark(self, attempt: AnyAttempt, error: UpstreamError, verdict: Verdict) -> dict[str, Any]:
        """Return what *error* does to its account; one request takes out one account per scope at most."""
        account, scope = attempt.account, verdict.consequence.scope
        if account.signed_in and self._renewals.get(account.id, account) is None:
            return {}  # its sign-in could not be renewed, and the refresher has reported it already
        counts = scope is Scope.CREDENTIAL or verdict.failure in CAUSED_BY_REQUESTS or _may_be_price(error)
        if counts and self._harmed.setdefault(scope, account.id) != account.id:
            return suspicion(verdict.failure, self._context.model) if scope is Scope.CREDENTIAL else {}
        return mark_for(error, self._context.model, time.time(), kind=account.kind)

    def _restarts_after(self, *, stalled: bool) -> bool:
        """Allow one restart at this model, and one after a stall; then it is the fallbacks' turn."""
        if self._restarts >= MAX_RESTARTS or not self._progress.may_continue(stalled=stalled):
            return False
        self._restarts += 1
        return True

    def _exclude(self, account: str, action: Action, error: UpstreamError, *, stalled: bool) -> None:
        """Note that *account* has failed, and whether it may be tried again within this request."""
        self._tried.append(account)
        too_long = (error.retry_after_seconds or 0.0) > MAX_WAIT_SECONDS - self._progress.waited_seconds
        if action is Action.OTHER_ACCOUNT_ONLY or stalled or too_long:
            self._never.append(account)

    def _told(self, choice: dict[str, Any], told: UpstreamError) -> dict[str, Any]:
        ask = {
            "attempt": choice["attempt"],
            "mark": self._record.mark,
            **({"charge": self._record.charge} if self._record.charge else {}),
            "tried": self._tried,
            "never": self._never,
        }
        try:
            reply = self._report(ask)
        except StoreUnavailable:
            raise told from None
        self._record.mark = {}  # the store has it now
        return reply

    def _wait_for(self, reply: dict[str, Any], choice: dict[str, Any]) -> float | None:
        """Return how long to wait before acting on *reply*, None where waiting is of no use."""
        if "refused" not in reply:
            wait = self._pause_before(reply["account"], choice["attempt"])
        elif self._tried and set(self._tried) != set(self._never) and reply.get("wait_ms"):
            # an account that may be tried again comes back then; not all who wait for it return at once
            wait = reply["wait_ms"] / 1000
            wait = min(wait + self._chance.uniform(0, WAKE_JITTER * wait), max(wait, MAX_WAIT_SECONDS))
        else:
            return None
        return wait

    def _pause_before(self, account: str, attempt: int) -> float:
        """Return how long *account* is left alone first, if it has failed: as long as it asked for."""
        if account not in self._failures:
            return 0.0
        failure, error, failed_at = self._failures[account]
        if failure in LIMITED:
            return 0.0  # the store does not choose it before that is over
        return max(0.0, failed_at + pause_seconds(attempt, error, self._chance) - self._clock())

    def _may_wait(self, seconds: float) -> bool:
        """Return whether the request may wait *seconds* more, and count them if so."""
        progress = self._progress
        if (
            progress.waited_seconds + seconds > MAX_WAIT_SECONDS
            or self._clock() + seconds >= progress.deadline
        ):
            return False
        progress.waited_seconds += seconds
        return True

    def _pause(self, seconds: float) -> Iterator[None]:
        return paused(seconds, self._context, self._progress, self._limits.keepalive, self._clock)

    def _spent(self) -> bool:
        """Return whether this model has had its attempts: some are left to the caller's fallbacks."""
        early = self._clock() - self._started < FIRST_SECONDS
        left = MAX_ATTEMPTS - self._progress.attempts - min(KEPT_FOR_FALLBACKS, self._progress.fallbacks_left)
        return left <= 0 or len(self._record.attempts) >= (MAX_TRIES_AT_FIRST if early else MAX_TRIES)


def paused(
    seconds: float,
    context: RequestContext,
    progress: RequestProgress,
    keepalive: float,
    clock: Callable[[], float],
) -> Iterator[None]:
    """Sleep, with a sign of life whenever the caller got none for *keepalive* seconds; ends if it leaves."""
    until = clock() + seconds
    while (left := until - clock()) > 0:
        due = progress.sent_at + keepalive - clock()
        context.cancellation.sleep(min(left, max(due, 0.0)))
        if clock() >= progress.sent_at + keepalive:
            progress.sent_at = clock()
            yield None


def _may_be_price(error: UpstreamError) -> bool:
    """Return whether *error* may mean that only this request costs more than what is left."""
    return (
        isinstance(error, UpstreamRejected)
        and error.upstream_status == PAYMENT_REQUIRED
        and error.retry_after_seconds is None
        and error.resets_at is None
    )


def _of_pool(reply: dict[str, Any], verdict: Verdict, error: UpstreamError) -> GatewayError | None:
    """Return what callers of a pool receive whose limits are all used up, with the earliest reset of all."""
    if "refused" not in reply or verdict.consequence.reply is not Reply.SPENT:
        return None
    plan = error.extra.get("plan_type") if isinstance(error, UpstreamRejected) else None
    return pool_spent(reply, {"plan_type": plan} if plan else None)


def _windows_told(attempt: AnyAttempt) -> dict[str, Any]:
    """What the answer's headers say of the account's usage windows, as part of a mark."""
    windows = windows_from_headers(attempt.headers, time.time())
    return {} if windows is None else {"windows": windows}
