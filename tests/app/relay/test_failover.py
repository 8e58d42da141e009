"""Failover between accounts: how long it takes and which accounts it tries again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from app.accounts.account import Account
from app.config import TimeLimits
from app.errors import (
    GatewayError,
    NoAccounts,
    PoolLimited,
    PoolSpent,
    StreamIdleTimeout,
    StreamIncomplete,
    UpstreamError,
    UpstreamRejected,
    UpstreamUnreachable,
)
from app.limits.limit_syntax import parse_limit
from app.relay.failover import Failover
from app.relay.failover_inputs import FailoverActions, FailoverPolicy
from app.relay.progress import RequestProgress
from app.relay.request_record import RequestRecord
from app.relay.retry_budget import RetryBudget
from app.relay.retry_policy import MAX_WAIT_SECONDS
from app.relay.timing import Timing
from app.relay.waiting import WAITING
from app.stores.records.admission import AccountsRefusal, LimitRefusal, Refusal, RefusalKind, Selection
from app.stores.records.ledger import Stop
from app.stores.records.settlement import AttemptReport
from app.streaming.events import Event
from app.translation.resume.delivered import ResumedStream
from tests.support.relay import FakeAttempt, make_request

RESPONSE = [Event({"choices": []})]


class Clock:
    """Time passes only in attempts and pauses."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class TimedAttempt(FakeAttempt):
    """Takes *seconds*, then answers or fails with *error*."""

    def __init__(self, clock: Clock, account: str, seconds: float, error: GatewayError | None) -> None:
        super().__init__(Account(account, account, "chatgpt", "http://127.0.0.1:1/v1"), (), error)
        self._clock, self._seconds = clock, seconds

    def events(self) -> Iterator[Any]:
        self._clock.now += self._seconds
        yield from super().events()
        yield RESPONSE


def selection(account: str, attempt: int) -> Selection:
    return Selection(account, version=1, attempt=attempt)


def no_accounts(wait_ms: float = 0) -> Refusal:
    return Refusal(
        RefusalKind.NO_ACCOUNTS, accounts=AccountsRefusal(total=1, is_offered=True, wait_ms=wait_ms)
    )


def events_of(
    clock: Clock,
    attempts: list[TimedAttempt],
    replies: list[Selection | Refusal],
    reports: list[AttemptReport] | None = None,
    charge: dict[str, Any] | None = None,
    queue_seconds: float = MAX_WAIT_SECONDS,
    first: Selection | None = None,
    stops: list[str] | None = None,
    left: list[float] | None = None,
) -> list[Any]:
    """
    Return what failover yields when its attempts and reports end as given.

    *reports* collects copies of the reports; *charge* is what a failed attempt is charged; *stops* gets the
    reason why no further attempt was made, *left* the times when the queue was left.
    """
    started, answered = iter(attempts), iter(replies)

    def begin(selection: Selection, resumed: ResumedStream | None) -> TimedAttempt:
        return next(started)

    def report(report: AttemptReport) -> Selection | Refusal:
        if reports is not None:
            reports.append(replace(report, tried=list(report.tried), excluded=list(report.excluded)))
        return next(answered)

    class ChargedRecord(RequestRecord):
        def fail_attempt(self, error: UpstreamError) -> None:
            self.charge = charge

    record = ChargedRecord()
    failover = Failover(
        make_request(cancellation=clock),
        record,
        RequestProgress(0.0, 600.0, 0.0),
        FailoverActions(
            begin,
            report,
            lambda account: replace(account, version=2),
            lambda attempt, error: None,
            lambda: None if left is None else left.append(clock.now),
        ),
        FailoverPolicy(RetryBudget(clock), TimeLimits().keepalive, queue_seconds=queue_seconds),
        Timing(clock, lambda: 0.0, random.Random(1)),
    )
    try:
        return list(failover.events(first or selection("a", 1)))
    finally:
        if stops is not None:
            stops.append(record.stopped)


LIMITED = Refusal(RefusalKind.LIMIT, limit=LimitRefusal(parse_limit("5 requests/day"), "spent"))


@pytest.mark.parametrize(
    ("error", "reply", "stop"),
    [
        (UpstreamUnreachable("x"), no_accounts(), Stop.NO_ACCOUNT),
        (UpstreamUnreachable("x"), no_accounts(60_000), Stop.WAIT),
        (UpstreamUnreachable("x"), LIMITED, Stop.LIMIT),
        (UpstreamUnreachable("x"), selection("b", 2), ""),
        (UpstreamRejected("x", status=400, type="invalid_request_error", code=None), no_accounts(), ""),
    ],
)
def test_why_no_further_attempt_is_made(error: UpstreamError, reply: Selection | Refusal, stop: str) -> None:
    """It is recorded with the request, unless the failure itself is the reason."""
    clock, stops = Clock(), list[str]()
    attempts = [TimedAttempt(clock, "a", 0.0, error), TimedAttempt(clock, "b", 0.0, None)]

    with suppress(GatewayError):
        events_of(clock, attempts, [reply], stops=stops)

    assert stops == [stop]


def test_too_many_attempts() -> None:
    clock, stops = Clock(), list[str]()
    attempts = [TimedAttempt(clock, name, 0.0, UpstreamUnreachable("x")) for name in "abcd"]

    with pytest.raises(UpstreamUnreachable):
        events_of(clock, attempts, [selection(name, n) for n, name in enumerate("bcd", 2)], stops=stops)

    assert stops[0] in (Stop.ATTEMPTS, Stop.BUDGET)


class TestRoute:
    def test_a_wait_for_one_account_does_not_skip_others(self) -> None:
        """The second account is tried immediately, however long the first one was silent."""
        clock = Clock()
        silent = [TimedAttempt(clock, name, 60.0, StreamIdleTimeout("Silent")) for name in "ab"]

        events = events_of(
            clock, [*silent, TimedAttempt(clock, "c", 1.0, None)], [selection("b", 2), selection("c", 3)]
        )

        assert events == [RESPONSE]

    @pytest.mark.parametrize(("seconds", "answered"), [(9.0, True), (11.0, False)])
    def test_the_wait_for_a_returning_account_is_bounded(self, seconds: float, answered: bool) -> None:
        clock = Clock()
        limited = UpstreamRejected(
            "Slow down", status=429, type="rate_limit_error", code="rate_limit_exceeded"
        )
        attempts = [TimedAttempt(clock, "a", 0.0, limited), TimedAttempt(clock, "a", 0.0, None)]
        replies = [no_accounts(seconds * 1000), selection("a", 2)]

        if answered:
            assert RESPONSE in events_of(clock, attempts, replies)
            assert clock.now >= seconds
        else:
            with pytest.raises(UpstreamRejected):
                events_of(clock, attempts, replies)
            assert clock.now == 0

    @pytest.mark.parametrize(("polls", "answered"), [(5, True), (100, False)])
    def test_the_wait_for_a_full_account_is_bounded(self, polls: int, answered: bool) -> None:
        """An account that failed does not end a request that another one will have room for."""
        clock = Clock()
        attempts = [
            TimedAttempt(clock, "a", 0.0, UpstreamUnreachable("x")),
            TimedAttempt(clock, "b", 0.0, None),
        ]
        full = Refusal(RefusalKind.NO_ACCOUNTS, accounts=AccountsRefusal(total=2, is_offered=True, busy=1))

        if answered:
            assert RESPONSE in events_of(clock, attempts, [full] * polls + [selection("b", 2)])
        else:
            with pytest.raises(UpstreamUnreachable):
                events_of(clock, attempts, [full] * polls)
        assert 1.0 < clock.now <= MAX_WAIT_SECONDS

    @pytest.mark.parametrize("queue_seconds", [0.0, 1.0])
    def test_no_wait_for_a_full_account_beyond_that_of_the_caller(self, queue_seconds: float) -> None:
        """`--queue-seconds` and the header of the request apply after a failed attempt as well."""
        clock = Clock()
        full = Refusal(RefusalKind.NO_ACCOUNTS, accounts=AccountsRefusal(total=2, is_offered=True, busy=1))
        failed = TimedAttempt(clock, "a", 0.0, UpstreamUnreachable("x"))

        with pytest.raises(UpstreamUnreachable):
            events_of(clock, [failed], [full] * 100, queue_seconds=queue_seconds)
        assert clock.now == pytest.approx(queue_seconds)

    @pytest.mark.parametrize("before", [0, 3])
    def test_a_place_in_the_queue(self, before: int) -> None:
        """The request polls as its place requires, and gives that up in the end."""
        clock, left, waiting = Clock(), [], WAITING.value
        attempts = [
            TimedAttempt(clock, "a", 0.0, UpstreamUnreachable("x")),
            TimedAttempt(clock, "b", 0.0, None),
        ]
        accounts = AccountsRefusal(total=2, is_offered=True, busy=1, waiting_before=before)
        waits = Refusal(RefusalKind.NO_ACCOUNTS, accounts=accounts)

        assert RESPONSE in events_of(clock, attempts, [waits] * 8 + [selection("b", 2)], left=left)
        assert left == [clock.now]
        assert 0.2 * (before + 1) <= clock.now <= 0.4 * (before + 1)
        with pytest.raises(UpstreamUnreachable):
            events_of(clock, attempts[:1], [waits, no_accounts()], left=left)
        assert (len(left), WAITING.value) == (2, waiting)

    @pytest.mark.parametrize(("named", "waited"), [(3.0, 3.0), (None, 0.0)])
    def test_an_account_rests_as_long_as_it_requested(self, named: float | None, waited: float) -> None:
        """An account gets the pause that it requested, even if another one was tried in between."""
        clock = Clock()
        failing = UpstreamRejected(
            "Oops", status=500, type="server_error", code=None, upstream_status=500, retry_after_seconds=named
        )
        attempts = [TimedAttempt(clock, name, 0.0, failing) for name in "ab"]
        replies = [selection("b", 2), selection("a", 3)]

        assert RESPONSE in events_of(clock, [*attempts, TimedAttempt(clock, "a", 0.0, None)], replies)
        assert waited <= clock.now <= 3.0

    @pytest.mark.parametrize(("named", "never"), [(9.0, []), (11.0, ["a"])])
    def test_an_account_that_requires_a_longer_wait_is_not_tried_again(
        self, named: float, never: list[str]
    ) -> None:
        clock = Clock()
        failing = UpstreamRejected(
            "Oops", status=500, type="server_error", code=None, upstream_status=500, retry_after_seconds=named
        )
        reports: list[AttemptReport] = []

        with pytest.raises(UpstreamRejected):
            events_of(clock, [TimedAttempt(clock, "a", 0.0, failing)], [no_accounts()], reports)

        assert reports[0].excluded == never

    def test_an_account_that_stalled_is_not_tried_again(self) -> None:
        """A second wait for the same account would only multiply the wait, however its silence ended."""
        clock = Clock()
        cut = TimedAttempt(clock, "a", 30.0, StreamIncomplete("Closed after a long silence"))
        cut.stalled = True
        reports: list[AttemptReport] = []

        with pytest.raises(StreamIncomplete):
            events_of(clock, [cut], [no_accounts()], reports)

        assert reports[0].excluded == ["a"]

    def test_it_waits_for_an_account_that_rests(self) -> None:
        """Also if the account that has failed would fail again; the store leaves that out of the wait."""
        clock = Clock()
        missing = UpstreamRejected("No", status=404, type="t", code=None, upstream_status=404)
        attempts = [TimedAttempt(clock, "a", 0.0, missing), TimedAttempt(clock, "b", 0.0, None)]
        reports: list[AttemptReport] = []

        assert events_of(clock, attempts, [no_accounts(2000), selection("b", 2)], reports) == [RESPONSE]

        assert reports[0].excluded == ["a"]
        assert 2.0 <= clock.now <= 2.5

    @pytest.mark.parametrize(
        ("left", "expected"),
        [
            ({"spent": 2}, PoolSpent),
            ({"spent": 2, "dead": 1}, PoolSpent),
            ({"limited": 1}, PoolLimited),
            ({"failing": 1}, NoAccounts),
            ({}, UpstreamError),
            ({"missing": 1, "paused": 1, "dead": 1}, UpstreamError),
        ],
    )
    @pytest.mark.parametrize("is_known", [False, True])
    def test_what_hides_the_accounts_that_work(
        self, left: dict[str, int], expected: type[GatewayError], *, is_known: bool
    ) -> None:
        """A wrong base URL explains no more than why the others cannot be requested now."""
        clock = Clock()
        status = 429 if is_known else 404
        failed = UpstreamRejected("No", status=status, type="t", code=None, upstream_status=status)
        first = Selection("a", version=1, attempt=1, comes_last=is_known)
        refused = Refusal(
            RefusalKind.NO_ACCOUNTS,
            accounts=AccountsRefusal(
                total=2,
                is_offered=True,
                able={"failing": 1, **left},
                able_left=left,
                wait_ms=60_000,
                resets_ms=60_000,
                states={"active": 1},
            ),
        )

        with pytest.raises(GatewayError) as raised:
            events_of(clock, [TimedAttempt(clock, "a", 0.0, failed)], [refused], first=first)

        assert type(raised.value) is (
            UpstreamRejected if expected is UpstreamError and is_known else expected
        )

    @pytest.mark.parametrize(("charge", "count"), [(None, 0), ({"account": "a", "output_tokens": 9}, 1)])
    def test_an_attempt_that_may_be_billed_is_reported_before_another(
        self, charge: dict[str, Any] | None, count: int
    ) -> None:
        """An attempt with a renewed token needs no report, unless the failed one may be billed."""
        clock = Clock()
        expired = UpstreamRejected("Expired", status=401, type="authentication_error", code="token_expired")
        attempts = [TimedAttempt(clock, "a", 0.0, expired), TimedAttempt(clock, "a", 0.0, None)]
        reports: list[AttemptReport] = []

        events = events_of(clock, attempts, [selection("b", 2)] * count, reports, charge)

        assert RESPONSE in events
        assert [report.charge for report in reports] == [charge] * count
