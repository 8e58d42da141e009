"""One limit at a time: first progress, then silence, then the sentinel."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.kinds import KINDS
from app.config import TimeLimits
from app.errors import StreamIdleTimeout, UpstreamTimeout
from app.relay.progress import RequestProgress
from app.relay.timeouts import SENTINEL_GRACE_SECONDS, AttemptDeadlines

LIMITS = TimeLimits(
    connect=5, headers=15, first_progress=12, first_progress_reasoning=60, idle=30, idle_reasoning=120
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def deadlines(
    clock: Clock, *, reasons: bool = False, deadline: float = 2000.0, **more: Any
) -> AttemptDeadlines:
    progress = RequestProgress(clock.now, deadline, clock.now)
    return AttemptDeadlines(LIMITS, reasons=reasons, progress=progress, clock=clock, **more)


class TestResponseTime:
    def test_ends_an_attempt_while_it_streams(self, clock: Clock) -> None:
        """It is a stall of the account: another one may still answer."""
        streaming = deadlines(clock, response_seconds=50)
        for _ in range(7):
            clock.now += 7
            streaming.progressed()
            streaming.client_informed()
            assert not streaming.check()
            assert not streaming.stalled
        assert streaming.seconds() == pytest.approx(1)

        clock.now += 1
        assert streaming.stalled
        with pytest.raises(StreamIdleTimeout, match="longer than its account is allowed"):
            streaming.check()

    def test_also_where_no_other_account_could_serve(self, clock: Clock) -> None:
        waiting = deadlines(clock, response_seconds=50, has_alternative=lambda: False)
        clock.now += 49
        assert not waiting.check()

        clock.now += 1
        with pytest.raises(StreamIdleTimeout):
            waiting.check()

    def test_is_within_the_deadline_of_the_request(self, clock: Clock) -> None:
        waiting = deadlines(clock, deadline=clock.now + 20, response_seconds=50)
        clock.now += 20
        with pytest.raises(UpstreamTimeout):
            waiting.check()


class TestUnstreamedResponse:
    @pytest.mark.parametrize(("reasons", "limit"), [(False, 120), (True, 300)])
    def test_may_take_as_long_as_a_stream_from_its_beginning_to_its_end(
        self, clock: Clock, reasons: bool, limit: float
    ) -> None:
        waiting = deadlines(clock, reasons=reasons)
        waiting.expect_unstreamed_response(None)

        clock.now += limit - 1
        assert not waiting.check()

        clock.now += 1
        with pytest.raises(StreamIdleTimeout):
            waiting.check()

    @pytest.mark.parametrize(("length", "limit"), [(1, 12.1), (100, 22), (1080, 120), (100_000, 120)])
    def test_is_shorter_where_the_request_limits_its_length(
        self, clock: Clock, length: int, limit: float
    ) -> None:
        """An account that hangs is abandoned within seconds if the response has to be short."""
        waiting = deadlines(clock)
        waiting.expect_unstreamed_response(length)

        clock.now += limit - 1
        assert not waiting.check()

        clock.now += 1
        with pytest.raises(StreamIdleTimeout):
            waiting.check()

    def test_is_longer_for_a_long_prompt(self, clock: Clock) -> None:
        waiting = deadlines(clock, reading_seconds=100)
        waiting.expect_unstreamed_response(100)

        clock.now += 121
        assert not waiting.check()

        clock.now += 1
        with pytest.raises(StreamIdleTimeout):
            waiting.check()


class TestFirstProgress:
    def test_bounds_the_wait_for_headers_too(self, clock: Clock) -> None:
        waiting = deadlines(clock)

        clock.now += 12

        with pytest.raises(StreamIdleTimeout):
            waiting.check()

    def test_is_longer_where_reasoning_is_requested(self, clock: Clock) -> None:
        waiting = deadlines(clock, reasons=True)
        waiting.headers_received()

        clock.now += 59

        assert not waiting.check()

    def test_headers_have_a_limit_of_their_own(self, clock: Clock) -> None:
        """Reasoning happens after the headers, which even a reasoning model sends immediately."""
        waiting = deadlines(clock, reasons=True)

        clock.now += 20

        with pytest.raises(StreamIdleTimeout):
            waiting.check()

    def test_is_longer_for_a_long_prompt(self, clock: Clock) -> None:
        waiting = deadlines(clock, reading_seconds=KINDS["compatible"].reading_seconds(30_000))

        clock.now += 12 + 149
        assert not waiting.check()

        clock.now += 2
        with pytest.raises(StreamIdleTimeout):
            waiting.check()

    def test_begins_again_with_a_comment(self, clock: Clock) -> None:
        waiting = deadlines(clock)
        for _ in range(50):
            clock.now += 11
            assert not waiting.check()
            waiting.commented()

        clock.now += 12
        with pytest.raises(StreamIdleTimeout):
            waiting.check()

    def test_is_all_that_is_left_where_no_other_account_could_serve(self, clock: Clock) -> None:
        waiting = deadlines(clock, has_alternative=lambda: False)
        while clock.now < 1999:
            assert not waiting.check()
            clock.now += 1

        clock.now += 1
        with pytest.raises(UpstreamTimeout):
            waiting.check()

    def test_ends_soon_once_another_account_could(self, clock: Clock) -> None:
        others: list[str] = []
        waiting = deadlines(clock, has_alternative=lambda: bool(others))
        clock.now += 100
        assert not waiting.check()

        others.append("another account")
        clock.now += 5

        with pytest.raises(StreamIdleTimeout):
            waiting.check()


class TestSilence:
    def test_is_not_prolonged_by_comments(self, clock: Clock) -> None:
        waiting = deadlines(clock, has_alternative=lambda: False)
        waiting.progressed()
        clock.now += 29
        waiting.commented()
        assert waiting.stalled

        clock.now += 1
        with pytest.raises(StreamIdleTimeout):
            waiting.check()

    def test_counts_from_the_last_progress(self, clock: Clock) -> None:
        waiting = deadlines(clock)
        clock.now += 11
        waiting.progressed()

        clock.now += 29
        assert not waiting.check()

        clock.now += 1
        with pytest.raises(StreamIdleTimeout):
            waiting.check()


class TestSentinel:
    def test_a_complete_response_waits_briefly_for_its_formal_end(self, clock: Clock) -> None:
        waiting = deadlines(clock)
        waiting.progressed()
        waiting.completed()

        clock.now += SENTINEL_GRACE_SECONDS

        assert waiting.check()

    def test_later_noise_does_not_prolong_it(self, clock: Clock) -> None:
        waiting = deadlines(clock)
        waiting.completed()
        clock.now += SENTINEL_GRACE_SECONDS
        waiting.progressed()
        waiting.completed()

        assert waiting.check()


class TestDeadline:
    def test_stands_over_everything(self, clock: Clock) -> None:
        waiting = deadlines(clock, deadline=clock.now + 5)

        assert waiting.seconds() == 5
        clock.now += 5

        with pytest.raises(UpstreamTimeout):
            waiting.check()


class TestSignOfLife:
    def test_is_due_after_ten_silent_seconds(self, clock: Clock) -> None:
        waiting = deadlines(clock)
        assert waiting.seconds() == 10

        clock.now += 10

        assert waiting.is_keepalive_due()

    def test_is_not_due_right_after_one(self, clock: Clock) -> None:
        waiting = deadlines(clock)
        clock.now += 10
        waiting.client_informed()

        assert not waiting.is_keepalive_due()


def test_a_further_request_of_an_attempt_has_the_same_limits(clock: Clock) -> None:
    """Its time begins when it is sent, however long the earlier one took and however it ended."""
    first = deadlines(clock)
    first.progressed()
    first.completed()
    clock.now += 100

    second = first.restarted()

    assert second.seconds() <= 12
    assert not second.check()
    clock.now += 13
    with pytest.raises(StreamIdleTimeout):
        second.check()
