"""Time limits of one attempt: for headers, first progress, silence and the formal end."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace

from app.config import TimeLimits
from app.errors import StreamIdleTimeout, UpstreamTimeout
from app.relay.progress import RequestProgress

SENTINEL_GRACE_SECONDS = 2.0  # for usage and `[DONE]` once the response itself is complete
CONTINUED_SHARE = 1 / 3  # of the idle limit, within a response that continues another
STALL_SHARE = 0.5  # of the idle limit: a longer silence is a stall, even if the upstream then hangs up


def shortened(limits: TimeLimits) -> TimeLimits:
    """Return *limits* for a response that continues a stalled one: its caller has already waited long."""
    return replace(
        limits,
        idle=limits.idle * CONTINUED_SHARE,
        idle_reasoning=limits.idle_reasoning * CONTINUED_SHARE,
    )


# A response that is not streamed arrives when a stream would have ended. Until then an account that hangs
# looks the same. So the limit grows with the length that the request sets, up to a multiple of the limit on
# the first event, which also applies where the request sets no length.
UNSTREAMED_FACTOR = 10.0  # 120 s by default
UNSTREAMED_FACTOR_REASONING = 5.0  # 300 s by default
UNSTREAMED_TOKENS_PER_SECOND = 10.0  # the slowest that models write
ALTERNATIVE_CHECK_SECONDS = 5.0  # between two checks for another account


class AttemptDeadlines:
    """
    The time limits of one attempt, in turn: for first progress, for silence, for the sentinel.

    Time limits exist so that another account can be tried. The limit on first progress is extended by
    *reading_seconds*, starts again with every comment of the upstream, and applies only while
    *has_alternative* returns True: if no other account could serve, the response may begin until the deadline
    over all attempts. The complete response may take *response_seconds*, whether or not another account could
    serve; 0: until that deadline. The client receives a keep-alive every `keepalive` seconds. No wait extends
    past the next of these moments.
    """

    def __init__(
        self,
        limits: TimeLimits,
        *,
        reasons: bool,
        progress: RequestProgress,
        clock: Callable[[], float],
        reading_seconds: float = 0.0,
        response_seconds: float = 0.0,
        has_alternative: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock = clock
        self._progress = progress
        self._deadline = progress.deadline
        self._keepalive = limits.keepalive
        self._silence = limits.idle_reasoning if reasons else limits.idle
        first_progress = limits.first_progress_reasoning if reasons else limits.first_progress
        self._first_progress = first_progress + reading_seconds
        self._unstreamed_response = (
            first_progress * (UNSTREAMED_FACTOR_REASONING if reasons else UNSTREAMED_FACTOR) + reading_seconds
        )
        self._has_alternative = has_alternative
        started = clock()
        if response_seconds:
            self._deadline = min(self._deadline, started + response_seconds)
        self._first_progress_by = started + self._first_progress
        headers_by = started + limits.connect + limits.headers + reading_seconds
        self._until = min(self._first_progress_by, headers_by)
        self._is_complete = self._has_begun = False
        self._progressed_at = started

    def restarted(self) -> AttemptDeadlines:
        """Return the same limits, started now, for a further request of the same attempt."""
        other, now = copy(self), self._clock()
        other._until = other._first_progress_by = now + self._first_progress
        other._is_complete = other._has_begun = False
        other._progressed_at = now
        return other

    def seconds(self) -> float:
        """Return the seconds that the next wait may take."""
        until = self._until if self._until < self._deadline else self._deadline  # `min` costs twice as much
        keepalive_at = self._progress.sent_at + self._keepalive
        return (until if until < keepalive_at else keepalive_at) - self._clock()

    def seconds_for_headers(self) -> float:
        """Return the seconds that the connection waits for headers; `check` usually ends the wait earlier."""
        return max(self._deadline - self._clock(), 0.001)

    def headers_received(self) -> None:
        """Start the limit on first progress."""
        self._until = self._first_progress_by

    def expect_unstreamed_response(self, length: int | None) -> None:
        """Extend the limit on headers and first progress to the time that *length* tokens take."""
        limit = self._unstreamed_response
        if length is not None:
            limit = min(limit, self._first_progress + length / UNSTREAMED_TOKENS_PER_SECOND)
        self._first_progress = limit
        self._until = self._first_progress_by = self._progressed_at + limit

    def commented(self) -> None:
        """Restart the limit on first progress: the upstream sent a comment, so it is working."""
        if not self._has_begun:
            self._until = self._first_progress_by = self._clock() + self._first_progress

    def progressed(self) -> None:
        """Restart the limit on silence."""
        self._has_begun = True
        if not self._is_complete:
            self._progressed_at = self._clock()
            self._until = self._progressed_at + self._silence

    @property
    def stalled(self) -> bool:
        """Whether the upstream was silent for so long that the attempt counts as a stall."""
        return self._clock() >= min(self._progressed_at + STALL_SHARE * self._silence, self._deadline)

    def completed(self) -> None:
        """Start the limit on the formal end of a stream whose response is complete."""
        if not self._is_complete:
            self._is_complete = True
            self._until = self._clock() + SENTINEL_GRACE_SECONDS

    def grace_seconds(self) -> float:
        """Return the seconds left to wait for the formal end of a complete response."""
        return min(self._until, self._deadline) - self._clock()

    def client_informed(self) -> None:
        """Restart the keep-alive interval, because the client was sent something."""
        self._progress.sent_at = self._clock()

    def is_keepalive_due(self) -> bool:
        """Return whether the client has received nothing for the keep-alive interval."""
        return self._clock() >= self._progress.sent_at + self._keepalive

    def check(self) -> bool:
        """
        Return whether the wait for the formal end of a complete response is over.

        Raises StreamIdleTimeout or UpstreamTimeout where a response that is not complete exceeds its limit.
        """
        now = self._clock()
        if now < min(self._until, self._deadline):
            return False
        if self._is_complete:
            return True
        if now >= self._deadline:
            if now < self._progress.deadline:
                raise StreamIdleTimeout("The response took longer than its account is allowed")
            raise UpstreamTimeout("The request took longer than this gateway allows")
        if not self._has_begun and not self._has_alternative():
            self._until = self._first_progress_by = now + ALTERNATIVE_CHECK_SECONDS
            return False
        raise StreamIdleTimeout("The upstream was silent for too long")
