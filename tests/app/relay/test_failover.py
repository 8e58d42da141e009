"""The way over the accounts: what time has to do with it. The rest is tested on a running service."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from app.config import TimeLimits
from app.errors import GatewayError, StreamIdleTimeout, StreamIncomplete, UpstreamRejected
from app.relay.failover import Failover
from app.relay.progress import RequestProgress
from app.relay.retry_budget import RetryBudget
from app.streaming.events import Event

ANSWER = [Event({"choices": []})]


class Clock:
    """Time passes only in attempts and pauses."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class ModelAttempt:
    def __init__(self, clock: Clock, account: str, seconds: float, error: GatewayError | None) -> None:
        self.account = SimpleNamespace(id=account, signed_in=False, kind="chatgpt")
        self.committed, self.stalled, self.headers = False, False, {}
        self._clock, self._seconds, self._error = clock, seconds, error

    def events(self) -> Iterator[Any]:
        self._clock.now += self._seconds
        if self._error is not None:
            raise self._error
        yield ANSWER


def choice(account: str, attempt: int) -> dict[str, Any]:
    return {"account": account, "attempt": attempt, "version": 1}


def events_of(
    clock: Clock,
    attempts: list[ModelAttempt],
    replies: list[dict[str, Any]],
    asked: list[dict[str, Any]] | None = None,
    charge: dict[str, Any] | None = None,
) -> list[Any]:
    """
    Return what a route yields whose attempts and reports go as given.

    *asked* collects the reports; *charge* is what a failed attempt is charged. Tokens can be renewed.
    """
    begun, told = iter(attempts), iter(replies)
    record: Any = SimpleNamespace(attempts=[], mark={}, first_event=lambda seconds: None)
    record.attempt, record.attempt_failed = lambda attempt, _: record.attempts.append(attempt), lambda _: None
    record.charge, record.exceeded = charge, dict
    context: Any = SimpleNamespace(
        surface="chat", stream=True, on_cut="fail", model="m", cancellation=clock, key=SimpleNamespace(id="k")
    )

    def report(ask: dict[str, Any]) -> dict[str, Any]:
        if asked is not None:
            asked.append(ask)
        return next(told)

    route = Failover(
        context,
        record,
        begin=lambda choice, resumed: next(begun),  # type: ignore[arg-type,return-value]
        report=report,
        renew=lambda account: SimpleNamespace(version=2),  # type: ignore[arg-type,return-value]
        progress=RequestProgress(0.0, 600.0, 0.0),
        budget=RetryBudget(clock),
        limits=TimeLimits(),
        clock=clock,
        chance=random.Random(1),
    )
    return list(route.events(choice("a", 1)))


class TestRoute:
    def test_patience_with_one_account_costs_no_other_its_turn(self) -> None:
        """However long the first was silent, the second is asked: nobody has to wait for it."""
        clock = Clock()
        silent = [ModelAttempt(clock, name, 60.0, StreamIdleTimeout("Silent")) for name in "ab"]

        events = events_of(
            clock, [*silent, ModelAttempt(clock, "c", 1.0, None)], [choice("b", 2), choice("c", 3)]
        )

        assert events == [ANSWER]

    @pytest.mark.parametrize(("seconds", "answered"), [(9.0, True), (11.0, False)])
    def test_an_account_that_comes_back_is_waited_for_only_so_long(
        self, seconds: float, answered: bool
    ) -> None:
        clock = Clock()
        limited = UpstreamRejected(
            "Slow down", status=429, type="rate_limit_error", code="rate_limit_exceeded"
        )
        attempts = [ModelAttempt(clock, "a", 0.0, limited), ModelAttempt(clock, "a", 0.0, None)]
        replies = [{"refused": "no_accounts", "wait_ms": seconds * 1000}, choice("a", 2)]

        if answered:
            assert ANSWER in events_of(clock, attempts, replies)
            assert clock.now >= seconds
        else:
            with pytest.raises(UpstreamRejected):
                events_of(clock, attempts, replies)
            assert clock.now == 0

    @pytest.mark.parametrize(("named", "waited"), [(3.0, 3.0), (None, 0.0)])
    def test_an_account_is_left_alone_as_long_as_it_asked(self, named: float | None, waited: float) -> None:
        """Also where another account was tried in between."""
        clock = Clock()
        failing = UpstreamRejected(
            "Oops", status=500, type="server_error", code=None, upstream_status=500, retry_after_seconds=named
        )
        attempts = [ModelAttempt(clock, name, 0.0, failing) for name in "ab"]
        replies = [choice("b", 2), choice("a", 3)]

        assert ANSWER in events_of(clock, [*attempts, ModelAttempt(clock, "a", 0.0, None)], replies)
        assert waited <= clock.now <= 3.0

    @pytest.mark.parametrize(("named", "never"), [(9.0, []), (11.0, ["a"])])
    def test_an_account_that_asks_for_a_longer_wait_is_not_tried_again(
        self, named: float, never: list[str]
    ) -> None:
        clock = Clock()
        failing = UpstreamRejected(
            "Oops", status=500, type="server_error", code=None, upstream_status=500, retry_after_seconds=named
        )
        reports: list[dict[str, Any]] = []

        with pytest.raises(UpstreamRejected):
            events_of(clock, [ModelAttempt(clock, "a", 0.0, failing)], [{"refused": "no_accounts"}], reports)

        assert reports[0]["never"] == never

    def test_an_account_that_stalled_is_not_tried_again(self) -> None:
        """However its silence ended: to wait a second time for the same only multiplies the wait."""
        clock = Clock()
        cut = ModelAttempt(clock, "a", 30.0, StreamIncomplete("Closed after a long silence"))
        cut.stalled = True
        asked: list[dict[str, Any]] = []

        with pytest.raises(StreamIncomplete):
            events_of(clock, [cut], [{"refused": "no_accounts", "wait_ms": 1000}], asked)

        assert asked[0]["never"] == ["a"]

    @pytest.mark.parametrize(("charge", "reports"), [(None, 0), ({"account": "a", "output_tokens": 9}, 1)])
    def test_an_attempt_that_may_be_billed_is_reported_before_another(
        self, charge: dict[str, Any] | None, reports: int
    ) -> None:
        """A renewed token needs no report, unless what was reserved is charged to the attempt that failed."""
        clock = Clock()
        expired = UpstreamRejected("Expired", status=401, type="authentication_error", code="token_expired")
        attempts = [ModelAttempt(clock, "a", 0.0, expired), ModelAttempt(clock, "a", 0.0, None)]
        asked: list[dict[str, Any]] = []

        events = events_of(clock, attempts, [choice("b", 2)] * reports, asked, charge)

        assert ANSWER in events
        assert [ask["charge"] for ask in asked] == [charge] * reports
