"""Admission of one request: reserve under its limits, select an account, and wait if all are busy."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from functools import partial

import structlog

from app.accounts.accounts import MAX_UNREADABLE
from app.accounts.settings import settings_from
from app.errors import ClientGone, CredentialUnreadable, GatewayError, StoreError, StoreUnavailable
from app.relay.admission_errors import admission_error
from app.relay.admission_inputs import AdmissionServices, RequestPlan
from app.relay.affinity import conversation_holder_of
from app.relay.context import RequestContext
from app.relay.pause import pause
from app.relay.progress import RequestProgress
from app.relay.waiting import (
    RECHECK_SECONDS,
    EarlierModelsDue,
    WaitOutcome,
    could_serve_soon,
    keepalive_seconds,
    longest_wait,
    observe_wait,
    seconds_left,
    wait_seconds,
)
from app.stores.records.admission import AdmitRequest, CalendarWindows, Refusal, RefusalKind, Selection
from app.stores.records.settlement import NO_OUTCOME, AttemptReport

log = structlog.get_logger()

_NO_REPORT = AttemptReport(0)


class CallerChanged(Exception):
    """The API key, its team or its pool has changed since the request read it. Nothing was admitted yet."""


class Admission:
    """The admission of one request, and the selection of an account for each further attempt."""

    def __init__(
        self,
        services: AdmissionServices,
        context: RequestContext,
        plan: RequestPlan,
        *,
        is_caller_current: bool = False,
    ) -> None:
        """*is_caller_current*: whether the API key was already compared with its stored record."""
        self._services = services
        self._context = context
        self._plan = plan
        self._pool = context.caller.key.pool
        key = context.caller.key
        self._store_read_at = key.now, key.looked_up_at  # a time of the store, and then or before: monotonic
        self._request = self._admit_request("" if is_caller_current else context.caller.key.fingerprint)
        self.queued_ms = 0  # how long the request waited for an account before it was admitted

    @property
    def calendar(self) -> dict[str, list[int]]:
        """The calendar windows, such as the current day, under which the request was admitted."""
        return self._request.calendar  # type: ignore[return-value]

    def admit(self, progress: RequestProgress) -> Generator[None, None, Selection]:
        """
        Return the selected account, after a wait in the queue if one may become available soon.

        Raises GatewayError where the request is refused, CallerChanged where it has to begin again.
        """
        services = self._services
        while True:
            reply = self._admit_readable()
            progress.is_caller_current = True
            if isinstance(reply, Selection):
                if progress.leave_queue is not None:
                    self._end_interrupted_wait(progress, WaitOutcome.ADMITTED)
                return reply
            if self._accept_other_accounts(reply):
                continue
            if services.waiting.is_full or self._seconds_to_wait(reply, progress) is None:
                raise self._refuse(reply, progress)
            return (yield from self._wait_in_queue(progress))

    def _wait_in_queue(self, progress: RequestProgress) -> Generator[None, None, Selection]:
        """
        Return the account that is selected for this request once it is its turn.

        Raises GatewayError, and EarlierModelsDue, after which the wait is resumed at the same place.
        """
        waiting, clock = self._services.waiting, self._services.timing.monotonic
        began, outcome = clock(), WaitOutcome.LEFT
        if progress.leave_queue is not None:
            began -= progress.queued_seconds
            progress.leave_queue = None
        try:
            with waiting.track(self._context):
                selection = yield from self._take_turn(progress)
            outcome = WaitOutcome.ADMITTED
            return selection
        except EarlierModelsDue:
            progress.leave_queue = self.leave_queue
            raise
        except GatewayError as error:
            outcome = WaitOutcome.LEFT if isinstance(error, ClientGone) else WaitOutcome.REFUSED
            error.admission = {**error.admission, "queued_ms": round((clock() - began) * 1000)}
            raise
        finally:
            seconds = clock() - began
            self.queued_ms = round(seconds * 1000)
            if progress.leave_queue is None:
                observe_wait(outcome, seconds)
                if outcome is not WaitOutcome.ADMITTED:
                    self.leave_queue()

    def _end_interrupted_wait(self, progress: RequestProgress, outcome: WaitOutcome) -> None:
        """Leave the queue and count the wait, where it ended while earlier models were tried again."""
        assert progress.leave_queue is not None
        progress.leave_queue()
        progress.leave_queue = None
        self.queued_ms = round(progress.queued_seconds * 1000)
        observe_wait(outcome, progress.queued_seconds)

    def _refuse(self, refusal: Refusal, progress: RequestProgress) -> GatewayError:
        """
        Return the error for *refusal*.

        Note whether to try this model again while a later one is waited for.
        """
        if could_serve_soon(refusal.accounts):
            progress.passed_over = (*progress.passed_over, self._context)
        if progress.leave_queue is not None and not progress.fallbacks_left:
            self._end_interrupted_wait(progress, WaitOutcome.REFUSED)
        return self.error_for(refusal)

    def _take_turn(self, progress: RequestProgress) -> Generator[None, None, Selection]:
        """Try to be admitted, with a place in the queue, until an account is free or the time is over."""
        clock, context = self._services.timing.monotonic, self._context
        length = self._queue_length
        began = clock() - progress.queued_seconds
        recheck_at = began + progress.queued_seconds + RECHECK_SECONDS
        may_recheck = progress.passed_over and not progress.fallbacks_left
        while True:
            self._request = replace(
                self._request, deadline_ms=self._deadline_ms(), queue_length=length, fingerprint=""
            )
            reply = self._admit_readable()
            if isinstance(reply, Selection):
                return reply
            progress.queued_seconds = clock() - began
            wait = self._seconds_to_wait(reply, progress)
            if wait is None or reply.accounts is None or reply.accounts.waiting_before is None:
                raise self._refuse(reply, progress)
            if may_recheck and clock() >= recheck_at:
                raise EarlierModelsDue
            left = seconds_left(progress, self.longest_wait(), clock())
            keepalive = keepalive_seconds(self._plan.time_limits.keepalive, left)
            yield from pause(wait, context, progress, keepalive, clock)

    @property
    def _queue_length(self) -> int:
        return settings_from(self._context.caller.key.settings).queue_length

    def leave_queue(self) -> None:
        """Give up the place in the queue; where the store does not answer, the place expires in seconds."""
        with suppress(StoreError):
            self._services.admissions.leave_queue(self._pool, self._context.request_id)

    def report(self, report: AttemptReport) -> Selection | Refusal:
        """Report how an attempt ended and return the selection for the next. Raises StoreUnavailable."""
        return self._skip_unreadable(self._send_report(self._request, report), report)

    def _admit_readable(self) -> Selection | Refusal:
        """
        Admit the request to an account whose credential this process can read.

        Without such an account the admission is withdrawn, and the request is admitted or refused as if the
        process had known that before: so it always is a refusal, for its caller and in the books.
        """
        services = self._services
        while True:
            admitted = self._admit_once()
            if isinstance(admitted, Refusal) or self._plan.is_stored:
                return admitted
            try:
                reply = self._skip_unreadable(admitted)
                if reply is admitted:
                    return admitted
                if isinstance(reply, Selection):
                    return replace(reply, limits=admitted.limits, now_ms=admitted.now_ms)
                is_withdrawn = services.admissions.withdraw(self._pool, self._request, admitted.limits)
            except GatewayError:  # the store is away, or the account was removed
                is_withdrawn = False
            if not is_withdrawn:  # or its lease has expired
                return admitted  # its attempt fails in the same way, and is settled, now or later
            self._request = replace(
                self._request,
                unreadable=services.accounts.unreadable(self._pool),
                deadline_ms=self._deadline_ms(),
                fingerprint="",
            )

    def _skip_unreadable(
        self, reply: Selection | Refusal, report: AttemptReport | None = None
    ) -> Selection | Refusal:
        """
        Return *reply*, or the next selection where this process cannot read the account's credential.

        Such an account is excluded from further selections of this process alone.
        """
        accounts = self._services.accounts
        for _ in range(MAX_UNREADABLE):
            if isinstance(reply, Refusal):
                break
            try:
                accounts.get(self._pool, reply.account_id, reply.version)
                break
            except CredentialUnreadable as error:
                log.warning(error.code, request_id=self._context.request_id, account=reply.account_id)
            # this attempt was never sent, so nothing is charged for it
            report = replace(report or _NO_REPORT, attempt=reply.attempt, outcome=NO_OUTCOME, charge=None)
            request = replace(self._request, unreadable=accounts.unreadable(self._pool))
            reply = self._send_report(request, report)
        return reply

    def _send_report(self, request: AdmitRequest, report: AttemptReport) -> Selection | Refusal:
        """Report under the current calendar windows: those of the admission may be over by now."""
        request = replace(request, queue_length=self._queue_length if report.may_wait else 0)
        send, calendar = self._services.admissions.report, self._calendar_at(self._store_time())
        reply = send(self._pool, request, report, calendar)
        # A day that begins soon was taken to have begun
        if isinstance(reply, Refusal) and reply.kind is RefusalKind.CALENDAR:
            reply = send(self._pool, request, report, self._calendar_at(reply.now_ms / 1000))
        return reply

    def error_for(self, refusal: Refusal) -> GatewayError:
        """Return the error that the client receives for *refusal*."""
        return admission_error(refusal, self._context, self._plan, self._services)

    def _accept_other_accounts(self, refusal: Refusal) -> bool:
        """Return whether accounts without the preferred protocol may serve the request from now on."""
        if (
            not self._plan.requirements.is_preference
            or not self._request.protocol
            or refusal.accounts is None
        ):
            return False
        self._request = replace(self._request, protocol="", fingerprint="", deadline_ms=self._deadline_ms())
        return True

    def _seconds_to_wait(self, refusal: Refusal, progress: RequestProgress) -> float | None:
        timing = self._services.timing
        return wait_seconds(
            refusal.accounts, progress, self.longest_wait(), timing.monotonic(), timing.random
        )

    def longest_wait(self) -> float:
        """Return how long the caller lets a request wait for an account, in seconds."""
        caller = self._context.caller
        return longest_wait(caller, settings_from(caller.key.settings))

    def _admit_once(self) -> Selection | Refusal:
        reply = self._send()
        # The command was delayed, or the store's clock has been set: the refusal has its present time
        if isinstance(reply, Refusal) and reply.kind is RefusalKind.LATE:
            self._request = replace(self._request, deadline_ms=self._deadline_ms())
            reply = self._send()
        # The clock of this process is in another day
        if isinstance(reply, Refusal) and reply.kind is RefusalKind.CALENDAR:
            calendar = self._calendar_at(reply.now_ms / 1000)
            self._request = replace(self._request, calendar=calendar, deadline_ms=self._deadline_ms())
            reply = self._send()
        if isinstance(reply, Refusal) and reply.kind is RefusalKind.CHANGED:
            raise CallerChanged
        return reply

    def _send(self) -> Selection | Refusal:
        """Send the request. If the reply is lost, what it may have reserved is released later."""
        services, sent_at = self._services, self._services.timing.monotonic()
        try:
            reply = services.admissions.admit(self._pool, self._request)
        except StoreUnavailable:
            cancel = partial(
                services.admissions.cancel, self._pool, self._request.id, self._request.conversation
            )
            services.lost_replies.undo(cancel)
            raise
        if isinstance(reply, Refusal) and reply.now_ms:  # a repeated selection may be of earlier
            self._store_read_at = reply.now_ms / 1000, sent_at
        return reply

    def _calendar_at(self, at: float) -> CalendarWindows:
        return self._services.calendar.windows(self._context.caller.key.zone, at)

    def _deadline_ms(self) -> int:
        """Return the deadline of an admission that is sent now, in Unix ms of the store's clock."""
        return int((self._store_time() + self._services.settings.store_timeout_seconds) * 1000)

    def _store_time(self) -> float:
        """Return an estimate of the store's clock, in Unix seconds; its error is that it is too late."""
        read, sent_at = self._store_read_at
        return read + self._services.timing.monotonic() - sent_at

    def _admit_request(self, fingerprint: str) -> AdmitRequest:
        context, plan, services = self._context, self._plan, self._services
        key, routing = context.caller.key, context.routing
        sticky_ms = settings_from(key.settings).affinity_minutes * 60_000
        return AdmitRequest(
            id=context.request_id,
            key=key.id,
            model=context.request.model,
            requested=context.request.requested_model,
            endpoint=context.request.endpoint,
            protocol=plan.requirements.protocol[0] if plan.requirements.protocol else "",
            ineligible_kinds=plan.requirements.ineligible_kinds,
            unlisted_kinds=plan.requirements.unlisted_kinds,
            account_kinds=routing.account_kinds,
            accounts=routing.accounts,
            demo=services.demo,
            affinity=routing.affinity if sticky_ms else "",
            account_id=routing.account_id,
            conversation=conversation_holder_of(routing.conversation),
            ownership=routing.ownership,
            deadline_ms=self._deadline_ms(),
            ttl_ms=int(services.settings.lease_ttl_seconds * 1000),
            sticky_ms=sticky_ms,
            calendar=services.calendar.windows(key.zone, key.now),
            bounds=plan.bounds.upper_bound,
            estimates=plan.bounds.estimate,
            unenforced_bounds=plan.bounds.unenforced,
            is_stored=plan.is_stored,
            unreadable=services.accounts.unreadable(self._pool),
            fingerprint=fingerprint,
        )
