"""Which refusals are worth a short wait, and how long it is."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from app.accounts.settings import PoolSettings
from app.relay.context import Caller
from app.relay.progress import RequestProgress
from app.relay.retry_policy import WITH_FALLBACKS_SECONDS
from app.relay.waiting import (
    MAX_WAITING,
    POLL_MAX_SECONDS,
    POLL_SECONDS,
    RENEW_SECONDS,
    WaitingRequests,
    longest_wait,
    wait_seconds,
)
from app.stores.records.admission import AccountsRefusal
from app.stores.records.api_keys import ApiKey
from app.upstream.cancellation import Cancellation

LONGEST = 10.0


def refused(rest_ms: float | None = None, busy: int = 0, before: int = 0) -> AccountsRefusal:
    return AccountsRefusal(busy=busy, rest_ms=rest_ms, waiting_before=before)


def waits(
    reply: AccountsRefusal | None, *, waited: float = 0.0, fallbacks: int = 0, left: float = 600.0
) -> list[float]:
    """Return the waits that many requests are given."""
    progress = RequestProgress(0.0, left, 0.0, queued_seconds=waited, fallbacks_left=fallbacks)
    found = [wait_seconds(reply, progress, LONGEST, 0.0, random.Random(number)) for number in range(200)]
    return [wait for wait in found if wait is not None]


class TestRest:
    def test_is_waited_out(self) -> None:
        assert all(1.0 <= wait <= 1.1 for wait in waits(refused(1000)))
        assert waits(refused(1000))

    def test_a_place_in_the_queue_is_renewed_meanwhile(self) -> None:
        assert set(waits(refused(9000))) == {RENEW_SECONDS}

    def test_not_all_wake_at_once(self) -> None:
        first, later = waits(refused(1000)), waits(refused(1000, before=9))

        assert max(first) - min(first) > 0.02
        assert max(first) < min(later)

    @pytest.mark.parametrize("rest", [10_000, 600_000])
    def test_a_long_one_is_refused_at_once(self, rest: int) -> None:
        assert not waits(refused(rest))

    def test_never_longer_than_is_left_of_all_waits(self) -> None:
        assert all(wait <= LONGEST - 6 for wait in waits(refused(3000), waited=6.0))
        assert not waits(refused(3000), waited=7.5)

    def test_never_past_the_deadline(self) -> None:
        assert not waits(refused(3000), left=2.0)

    def test_is_short_where_another_model_may_answer(self) -> None:
        assert waits(refused(2000), fallbacks=1)
        assert all(wait <= WITH_FALLBACKS_SECONDS for wait in waits(refused(2400), fallbacks=1))
        assert not waits(refused(4000), fallbacks=1)


class TestBusy:
    def test_the_first_in_the_queue_is_tried_most_often(self) -> None:
        first, later = waits(refused(busy=1)), waits(refused(busy=1, before=99))

        assert max(first) <= POLL_SECONDS
        assert max(first) < min(later) <= max(later) <= POLL_MAX_SECONDS

    def test_ends_with_all_waits(self) -> None:
        assert not waits(refused(busy=1), waited=LONGEST)

    def test_is_no_reason_to_wait_where_another_model_may_answer(self) -> None:
        assert not waits(refused(busy=1), fallbacks=1)

    def test_whichever_comes_first(self) -> None:
        assert max(waits(refused(5000, busy=1))) <= POLL_SECONDS


def test_refusal_without_a_time_is_final() -> None:
    assert not waits(refused())


def test_other_refusals_are_final() -> None:
    assert not waits(None)


class TestLongestWait:
    POOL = PoolSettings(queue_seconds=30)

    @pytest.mark.parametrize(
        ("own", "requested", "longest"),
        [
            (None, None, 30),
            (5, None, 5),
            (60, None, 60),
            (0, None, 0),
            (None, 2.5, 2.5),
            (None, 90.0, 30),
            (5, 10.0, 5),
            (60, 45.0, 45.0),
            (None, 0.0, 0.0),
            (0, 10.0, 0),
        ],
    )
    def test_is_bounded_by_the_key_else_by_the_pool(
        self, own: int | None, requested: float | None, longest: float
    ) -> None:
        caller = Caller(ApiKey("k", "k", "p", queue_seconds=own), Cancellation(), queue_seconds=requested)

        assert longest_wait(caller, self.POOL) == longest

    def test_by_default(self) -> None:
        assert longest_wait(Caller(ApiKey("k", "k", "p"), Cancellation()), PoolSettings()) == 10


class TestWaitingCalls:
    def test_are_bounded(self) -> None:
        waiting = WaitingRequests()
        contexts = [waiting.track(context(number)) for number in range(MAX_WAITING)]
        for progress in contexts:
            assert not waiting.is_full
            progress.__enter__()

        assert waiting.is_full
        contexts[0].__exit__(None, None, None)
        assert not waiting.is_full

    def test_end_with_the_process(self) -> None:
        waiting, waits_here = WaitingRequests(), context(1)

        with waiting.track(waits_here):
            waiting.stop()

        assert waits_here.caller.cancellation.error is not None
        assert len(waiting) == 0


def context(number: int) -> Any:
    return SimpleNamespace(request_id=f"req_{number}", caller=SimpleNamespace(cancellation=Cancellation()))
