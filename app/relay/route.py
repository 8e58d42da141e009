"""The way of one admitted request over the accounts of its pool."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from typing import Any

from app.config import TimeLimits
from app.errors import StoreUnavailable, UpstreamError
from app.pool.account import Account
from app.pool.failures import Failure, Scope
from app.pool.marks import OK, mark_for, suspicion
from app.pool.verdicts import Verdict, judge
from app.pool.windows import windows_from_headers
from app.relay.asking import Ticks
from app.relay.call import Call
from app.relay.decisions import (
    FIRST_SECONDS,
    MOST_TRIES,
    MOST_TRIES_AT_FIRST,
    MOST_WAIT_SECONDS,
    Action,
    Stage,
    decide,
    for_client,
    pause_seconds,
)
from app.relay.manners import OneAttempt
from app.relay.record import Record
from app.relay.repeats import Repeats
from app.translation.resume import Resumed, delivered_on

LIMITED = frozenset({Failure.BURST_LIMITED, Failure.MODEL_LIMITED})  # the store knows when these are over
# Suspicions that a request may have brought about by itself, wherever it was sent.
CAUSED_BY_REQUESTS = frozenset(
    {Failure.RESET, Failure.SERVER_ERROR, Failure.BLOCKED, Failure.CUT, Failure.GARBLED}
)

Report = Callable[[dict[str, Any]], dict[str, Any]]
Begin = Callable[[dict[str, Any], Resumed | None], OneAttempt]


class Route:
    """
    Tries accounts until one answers, or none is left to ask.

    *begin* makes the attempt that a choice of the store asks for, *report* tells the store how
    one went and brings the next choice, *renew* gets a new token for an account that has sign-in.
    """

    def __init__(
        self,
        call: Call,
        record: Record,
        *,
        begin: Begin,
        report: Report,
        renew: Callable[[Account], Account | None],
        repeats: Repeats,
        limits: TimeLimits,
        clock: Callable[[], float],
        chance: random.Random,
        most_accounts: int | None = None,
    ) -> None:
        self._call = call
        self._record = record
        self._begin = begin
        self._report = report
        self._repeats = repeats
        self._limits = limits
        self._clock = clock
        self._chance = chance
        self._most_accounts = most_accounts
        self._started = clock()
        self._waited = 0.0  # seconds between attempts
        self._renew = renew
        self._renewals: dict[str, Account | None] = {}  # what came of each, by account
        self._tried: list[str] = []
        self._delivered = delivered_on(call.surface) if call.stream and call.on_cut == "restart" else None
        self._never: list[str] = []  # of them, those that would answer the same again
        self._unsupported = False  # whether an account has refused what others may support
        self._harmed: dict[Scope, str] = {}  # the account that this request has taken out, by scope

    def events(self, choice: dict[str, Any]) -> Ticks:
        """Yield what `Attempt.events` yields, of the attempts in turn; begin with *choice*."""
        with ExitStack() as repeating:
            yield from self._attempts(choice, repeating)

    def _attempts(self, choice: dict[str, Any], repeating: ExitStack) -> Ticks:
        resumed = None
        while True:
            attempt = self._begin(choice, resumed)
            self._record.attempt(attempt)
            try:
                yield from self._delivering(attempt)
                self._record.mark = OK | _windows_told(attempt)
                return
            except UpstreamError as error:
                self._record.attempt_failed(error)
                if renewed := self._renewed(attempt, error):
                    choice = {**choice, "version": renewed.version}
                    continue
                choice = yield from self._next(choice, attempt, error)
                if attempt.committed and self._delivered is not None:
                    resumed = Resumed(self._delivered)
                if self._tried.count(choice["account"]) == 1:
                    repeating.enter_context(self._repeats.one())

    def _delivering(self, attempt: OneAttempt) -> Ticks:
        """Remember what the client is given, where that may have to be gone on with."""
        with closing(attempt.events()) as arriving:
            for events in arriving:
                if events:
                    self._record.first_event(self._clock() - self._started)
                    if self._delivered is not None:
                        self._delivered.observe(events)
                yield events

    def _renewed(self, attempt: OneAttempt, error: UpstreamError) -> Account | None:
        """Return the account with a new token, where an old one was refused: once per account."""
        account = attempt.account
        if account.id in self._renewals or attempt.committed:
            return None
        if self._verdict(attempt, error).failure is not Failure.CREDENTIAL:
            return None
        renewed = self._renewals[account.id] = self._renew(account)
        return renewed

    def _next(
        self, choice: dict[str, Any], attempt: OneAttempt, error: UpstreamError
    ) -> Generator[None, None, dict[str, Any]]:
        """Report a failed attempt and return the next choice, or raise what the client is told."""
        verdict = self._verdict(attempt, error)
        action = decide(verdict.failure, Stage.AFTER if attempt.committed else Stage.BEFORE)
        agreed = self._agrees(verdict, action, attempt.account)
        self._record.mark = self._mark(attempt, error, verdict) | _windows_told(attempt)
        told = for_client(error, verdict, self._call.surface, self._call.model)
        restartable = self._delivered is not None and self._delivered.resumable
        if action is Action.TELL or (action is Action.RESTART and not restartable) or agreed or self._spent():
            raise told
        self._exclude(choice["account"], action)
        if self._most_accounts is not None and len(set(self._tried)) >= self._most_accounts:
            raise told
        while True:
            reply = self._told(choice, told)
            wait = self._wait_for(reply, choice, verdict.failure, error)
            if wait is None:
                raise told
            yield from self._pause(wait)
            if "refused" not in reply:
                return reply

    def _verdict(self, attempt: OneAttempt, error: UpstreamError) -> Verdict:
        return judge(error, attempt.account.kind, self._call.model)

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

    def _mark(self, attempt: OneAttempt, error: UpstreamError, verdict: Verdict) -> dict[str, Any]:
        """Return what *error* does to its account; one request takes out one account per scope at most."""
        account, scope = attempt.account, verdict.consequence.scope
        if account.signed_in and self._renewals.get(account.id, account) is None:
            return {}  # its sign-in could not be renewed, and the refresher has reported it already
        first = self._harmed.setdefault(scope, account.id)
        if first != account.id and scope is Scope.CREDENTIAL:
            return suspicion(verdict.failure, self._call.model)
        if first != account.id and verdict.failure in CAUSED_BY_REQUESTS:
            return {}
        return mark_for(error, self._call.model, time.time(), kind=account.kind)

    def _exclude(self, account: str, action: Action) -> None:
        self._tried.append(account)
        if action is Action.OTHER_ONLY or not self._repeats.allowed():
            self._never.append(account)

    def _told(self, choice: dict[str, Any], told: UpstreamError) -> dict[str, Any]:
        ask = {
            "attempt": choice["attempt"],
            "mark": self._record.mark,
            "tried": self._tried,
            "never": self._never,
        }
        try:
            reply = self._report(ask)
        except StoreUnavailable:
            raise told from None
        self._record.mark = {}  # the store has it now
        return reply

    def _wait_for(
        self, reply: dict[str, Any], choice: dict[str, Any], failure: Failure, error: UpstreamError
    ) -> float | None:
        """Return how long to wait before acting on *reply*, None where waiting is of no use."""
        if "refused" not in reply:
            again = reply["account"] == choice["account"] and failure not in LIMITED
            wait = pause_seconds(choice["attempt"], error, self._chance) if again else 0.0
        elif self._tried and set(self._tried) != set(self._never) and reply.get("wait_ms"):
            wait = reply["wait_ms"] / 1000  # an account that may be asked again comes back then
        else:
            return None
        self._waited += wait
        return wait if self._waited <= MOST_WAIT_SECONDS else None

    def _pause(self, seconds: float) -> Iterator[None]:
        """Sleep, with a sign of life for the client where it takes long; ends if the client leaves."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > self._limits.keepalive:
            self._call.cancellation.sleep(self._limits.keepalive)
            yield None
        if left > 0:
            self._call.cancellation.sleep(left)

    def _spent(self) -> bool:
        early = self._clock() - self._started < FIRST_SECONDS
        return len(self._record.attempts) >= (MOST_TRIES_AT_FIRST if early else MOST_TRIES)


def _windows_told(attempt: OneAttempt) -> dict[str, Any]:
    """What the answer's headers say of the account's usage windows, as part of a mark."""
    windows = windows_from_headers(attempt.headers, time.time())
    return {} if windows is None else {"windows": windows}
