"""The selection of another account after a failed attempt, with the waits while none is available."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from app.accounts.failures import CallerError
from app.errors import GatewayError, StoreUnavailable, UpstreamError, UpstreamRejected
from app.relay.context import RequestContext
from app.relay.failed_accounts import LIMITED, FailedAccounts
from app.relay.failover_inputs import FailoverActions, FailoverPolicy
from app.relay.no_account import UNUSABLE, no_account_error, pool_spent_error
from app.relay.pause import pause
from app.relay.progress import RequestProgress
from app.relay.refusals import not_retried
from app.relay.reported_failure import AccountFailure
from app.relay.request_record import RequestRecord
from app.relay.retry_policy import (
    BUSY_POLL_SECONDS,
    MAX_BUSY_POLL_SECONDS,
    MAX_WAIT_SECONDS,
    WAKE_JITTER,
)
from app.relay.timing import Timing
from app.relay.waiting import WAITING, poll_seconds
from app.stores.records.admission import Refusal, Selection
from app.stores.records.ledger import Stop
from app.stores.records.settlement import NO_OUTCOME, AttemptReport


class Reselection:
    """Selects another account for one request at one model, whose attempts at *accounts* have failed."""

    def __init__(
        self,
        context: RequestContext,
        record: RequestRecord,
        progress: RequestProgress,
        actions: FailoverActions,
        policy: FailoverPolicy,
        timing: Timing,
        accounts: FailedAccounts,
    ) -> None:
        self._context = context
        self._record = record
        self._progress = progress
        self._actions = actions
        self._policy = policy
        self._timing = timing
        self._accounts = accounts

    def select(self, selection: Selection, reported: AccountFailure) -> Generator[None, None, Selection]:
        """
        Report the failure of *selection* and return the next one, after a wait if no account is free.

        It yields None when a keep-alive is due. If no account is available in time, it raises what the client
        receives.
        """
        failed, waits = reported.for_client, False
        try:
            while True:
                reply = self._report(selection, failed)
                if isinstance(reply, Refusal) and reply.limit is not None:
                    raise self._record.stop(Stop.LIMIT, not_retried(failed, reply))
                if _has_place(reply) and not waits:
                    waits = True
                    WAITING.value += 1
                wait = self._wait_after(reply, selection)
                if wait is None or not self._progress.take_wait(wait, self._timing.monotonic()):
                    stop = Stop.NO_ACCOUNT if wait is None else Stop.WAIT
                    raise self._record.stop(stop, _pool_error(reply, reported) or failed)
                keepalive_seconds = self._policy.keepalive_seconds
                yield from pause(
                    wait, self._context, self._progress, keepalive_seconds, self._timing.monotonic
                )
                if isinstance(reply, Selection):
                    return reply
        finally:
            if waits:
                WAITING.value -= 1
                self._actions.leave_queue()

    def _report(self, selection: Selection, failed: UpstreamError) -> Selection | Refusal:
        report = AttemptReport(
            selection.attempt,
            self._record.outcome,
            self._record.charge,
            self._accounts.tried,
            self._accounts.excluded if self._may_repeat() else self._accounts.tried,
            may_wait=self._busy_seconds_left() > 0,
        )
        try:
            reply = self._actions.report(report)
        except StoreUnavailable:
            raise self._record.stop(Stop.STORE, failed) from None
        self._record.outcome = NO_OUTCOME  # it is stored now
        return reply

    def _wait_after(self, reply: Selection | Refusal, selection: Selection) -> float | None:
        """Return the seconds to wait before acting on *reply*, None if no account is available soon."""
        if isinstance(reply, Selection):
            return self._accounts.pause_before(reply.account_id, selection.attempt)
        if reply.accounts is not None and reply.accounts.busy and (left := self._busy_seconds_left()) > 0:
            if (before := reply.accounts.waiting_before) is not None:
                return min(left, poll_seconds(before, self._timing.random))
            pause = max(BUSY_POLL_SECONDS, min(self._progress.waited_seconds, MAX_BUSY_POLL_SECONDS))
            return min(left, pause * self._timing.random.uniform(0.5, 1.5))
        wait_ms = reply.accounts.wait_ms if reply.accounts is not None else 0
        if not (wait_ms and self._may_repeat()):
            return None
        # The account is available again then; the jitter spreads the requests that wait for it
        wait = wait_ms / 1000
        return min(wait + self._timing.random.uniform(0, WAKE_JITTER * wait), max(wait, MAX_WAIT_SECONDS))

    def _busy_seconds_left(self) -> float:
        """
        Return how many seconds the request may still wait for an account without a free slot.

        The result is at most 0 if it may not. Fallbacks come first. The wait before the first attempt counts.
        """
        if self._progress.fallbacks_left:
            return 0.0
        waited = self._progress.queued_seconds + self._progress.waited_seconds
        return min(self._policy.queue_seconds, MAX_WAIT_SECONDS) - waited

    def _may_repeat(self) -> bool:
        """
        Return whether an account that has failed may be tried again.

        While later models are left, only the first failure is repeated, as it may have been an accident.
        """
        return not self._progress.fallbacks_left or len(self._accounts.tried) == 1


def _has_place(reply: Selection | Refusal) -> bool:
    """Return whether the request has a place in the queue after *reply*."""
    accounts = reply.accounts if isinstance(reply, Refusal) else None
    return accounts is not None and accounts.waiting_before is not None


def _pool_error(reply: Selection | Refusal, reported: AccountFailure) -> GatewayError | None:
    """
    Return what the accounts that were not tried show, if that explains more than the failure *reported*.

    So it is if the limits of all are used up, with the earliest reset, or if *reported* is of an account that
    is configured wrongly, while others will be available again.
    """
    if isinstance(reply, Selection) or reply.accounts is None:
        return None
    left = reply.accounts.able_left
    if reported.is_misconfigured and set(left) - set(UNUSABLE):
        return no_account_error(replace(reply.accounts, able=left), reply.now_ms)
    verdict, error = reported.verdict, reported.error
    if verdict.consequence.caller_error is not CallerError.SPENT and verdict.failure not in LIMITED:
        return None
    plan = error.extra.get("plan_type") if isinstance(error, UpstreamRejected) else None
    return pool_spent_error(reply.accounts, reply.now_ms, {"plan_type": plan} if plan else None)
