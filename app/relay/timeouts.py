"""Time limits of one attempt: for headers, first progress, silence and the formal end."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace

from app.config import TimeLimits
from app.errors import StreamIdleTimeout, UpstreamTimeout
from app.relay.progress import RequestProgress

SENTINEL_GRACE_SECONDS = 2.0  # for usage and `[DONE]` once the response itself is complete
CONTINUED_SHARE = 1 / 3  # of the silence that is allowed within a response that continues another
STALL_SHARE = 0.5  # of the silence that is allowed: a longer one is a stall, even if the upstream hangs up


def shortened(limits: TimeLimits) -> TimeLimits:
    """Return *limits* for a response that continues one whose caller has already waited through a silence."""
    return replace(
        limits,
        idle=limits.idle * CONTINUED_SHARE,
        idle_reasoning=limits.idle_reasoning * CONTINUED_SHARE,
    )


# A complete response arrives after as long as a stream takes from its first event to its last. An account
# that hangs looks alike, so the limit grows with the length that the request sets; where it sets none, or a
# large one, it is a multiple of the one on the first event: a pool that changes one changes both.
UNSTREAMED_FACTOR = 10.0  # 120 s by default
UNSTREAMED_FACTOR_REASONING = 5.0  # 300 s
UNSTREAMED_TOKENS_PER_SECOND = 10.0  # how fast a response is written, at worst
ALTERNATIVE_CHECK_SECONDS = 5.0  # between two checks for an account that could serve instead


class AttemptDeadlines:
    """
    One limit is in force at a time: first progress, then silence, then the sentinel.

    Time limits exist so that another account can be tried. The first one is longer by *reading_seconds*,
    starts again with every comment of the upstream, and applies only while *has_alternative*: where no other
    account could serve, a response may begin until the deadline over all attempts. The complete response has
    *response_seconds*, whether another account could serve or not; 0: until that deadline. The client
    receives a keep-alive every `keepalive` seconds. No wait is longer than to the next of these moments.
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
        """Return the same limits from now on, for a further request of the same attempt."""
        other, now = copy(self), self._clock()
        other._until = other._first_progress_by = now + self._first_progress
        other._is_complete = other._has_begun = False
        other._progressed_at = now
        return other

    def seconds(self) -> float:
        """Return the seconds that the next wait may take."""
        return min(self._until, self._deadline, self._progress.sent_at + self._keepalive) - self._clock()

    def seconds_for_headers(self) -> float:
        """Return the seconds that a connection may wait for headers: `check` ends the wait earlier."""
        return max(self._deadline - self._clock(), 0.001)

    def headers_received(self) -> None:
        """Start the limit on first progress."""
        self._until = self._first_progress_by

    def expect_unstreamed_response(self, length: int | None) -> None:
        """Allow as long for headers and first progress as a response of *length* tokens takes; None: any."""
        limit = self._unstreamed_response
        if length is not None:
            limit = min(limit, self._first_progress + length / UNSTREAMED_TOKENS_PER_SECOND)
        self._first_progress = limit
        self._until = self._first_progress_by = self._progressed_at + limit

    def commented(self) -> None:
        """Start the limit on first progress again: the upstream sent a comment, so it is working."""
        if not self._has_begun:
            self._until = self._first_progress_by = self._clock() + self._first_progress

    def progressed(self) -> None:
        """Start the limit on silence again."""
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
        """Start the keep-alive interval again: the client was sent something."""
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
