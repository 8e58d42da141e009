"""How long one attempt waits, and for what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.config import TimeLimits
from app.errors import StreamIdleTimeout, UpstreamTimeout
from app.relay.context import RequestContext

SENTINEL_GRACE_SECONDS = 2.0  # for usage and `[DONE]` once the answer itself is complete
CONTINUED_SHARE = 1 / 3  # of the silence that is allowed within an answer that continues another
STALL_SHARE = 0.5  # of the silence that is allowed: from then on it is a stall, even if the upstream hangs up


def shortened(limits: TimeLimits) -> TimeLimits:
    """Return *limits* for an answer that continues one whose caller has already waited through a silence."""
    return replace(
        limits,
        idle=limits.idle * CONTINUED_SHARE,
        idle_reasoning=limits.idle_reasoning * CONTINUED_SHARE,
    )


class Patience:
    """
    One limit is in force at a time: first progress, then silence, then the sentinel.

    Beside it stand the deadline over all attempts, and the client, who wants a sign of life
    every `keepalive` seconds. Nobody sleeps longer than to the next of the three.
    """

    def __init__(
        self, limits: TimeLimits, *, reasons: bool, context: RequestContext, clock: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._context = context
        self._deadline = context.deadline
        self._keepalive = limits.keepalive
        self._silence = limits.idle_reasoning if reasons else limits.idle
        first_progress = limits.first_progress_reasoning if reasons else limits.first_progress
        started = clock()
        self._first_progress_by = started + first_progress
        self._until = min(self._first_progress_by, started + limits.connect + limits.headers)
        self._complete = False
        self._progressed_at = started

    def seconds(self) -> float:
        """Return how long the next wait may be."""
        return min(self._until, self._deadline, self._context.sent_at + self._keepalive) - self._clock()

    def seconds_for_headers(self) -> float:
        """Return the limit of the first wait alone, for whoever cannot tick."""
        return max(self._until - self._clock(), 0.001)

    def answered(self) -> None:
        """Headers are here: now something must follow."""
        self._until = self._first_progress_by

    def progressed(self) -> None:
        if not self._complete:
            self._progressed_at = self._clock()
            self._until = self._progressed_at + self._silence

    @property
    def stalled(self) -> bool:
        """Whether the upstream has been silent for so long that it makes no difference who ended the wait."""
        return self._clock() >= self._progressed_at + STALL_SHARE * self._silence

    def completed(self) -> None:
        """The answer is whole; what is missing is the formal end of its stream."""
        if not self._complete:
            self._complete = True
            self._until = self._clock() + SENTINEL_GRACE_SECONDS

    def told_client(self) -> None:
        self._context.sent_at = self._clock()

    def client_waits(self) -> bool:
        """Whether the client has heard nothing for so long that it wants a sign of life."""
        return self._clock() >= self._context.sent_at + self._keepalive

    def enough(self) -> bool:
        """
        Whether a complete answer has waited long enough for its formal end.

        Raises StreamIdleTimeout or UpstreamTimeout for one that is not complete.
        """
        now = self._clock()
        if now < min(self._until, self._deadline):
            return False
        if self._complete:
            return True
        if now >= self._deadline:
            raise UpstreamTimeout("The request took longer than this gateway allows")
        raise StreamIdleTimeout("The upstream was silent for too long")
