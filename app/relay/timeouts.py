"""How long one attempt waits, and for what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.config import TimeLimits
from app.errors import StreamIdleTimeout, UpstreamTimeout
from app.relay.progress import RequestProgress

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


READING_TOKENS_PER_SECOND = {"compatible": 400.0}  # a local server may read a prompt on a CPU
HOSTED_TOKENS_PER_SECOND = 2000.0
LOOK_AROUND_SECONDS = 5.0  # between two looks for an account that could serve instead


def reading_seconds(kind: str, input_tokens: int) -> float:
    """Return how long an account of *kind* may take to read a prompt of about *input_tokens*."""
    return input_tokens / READING_TOKENS_PER_SECOND.get(kind, HOSTED_TOKENS_PER_SECOND)


class AttemptDeadlines:
    """
    One limit is in force at a time: first progress, then silence, then the sentinel.

    Time limits exist to try elsewhere: the first is longer by *reading_seconds*, begins again with every
    comment of the upstream, and holds only while *has_alternative*: where no one else could serve, an
    answer may begin until the deadline over all attempts. The caller gets a sign of life every
    `keepalive` seconds. No wait is longer than to the next of these moments.
    """

    def __init__(
        self,
        limits: TimeLimits,
        *,
        reasons: bool,
        progress: RequestProgress,
        clock: Callable[[], float],
        reading_seconds: float = 0.0,
        has_alternative: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock = clock
        self._progress = progress
        self._deadline = progress.deadline
        self._keepalive = limits.keepalive
        self._silence = limits.idle_reasoning if reasons else limits.idle
        first_progress = limits.first_progress_reasoning if reasons else limits.first_progress
        self._first_progress = first_progress + reading_seconds
        self._has_alternative = has_alternative
        started = clock()
        self._first_progress_by = started + self._first_progress
        headers_by = started + limits.connect + limits.headers + reading_seconds
        self._until = min(self._first_progress_by, headers_by)
        self._complete = self._begun = False
        self._progressed_at = started

    def seconds(self) -> float:
        """Return how long the next wait may be."""
        return min(self._until, self._deadline, self._progress.sent_at + self._keepalive) - self._clock()

    def seconds_for_headers(self) -> float:
        """Return how long a connection may wait for headers: `enough` ends the wait before."""
        return max(self._deadline - self._clock(), 0.001)

    def answered(self) -> None:
        """Headers are here: now something must follow."""
        self._until = self._first_progress_by

    def commented(self) -> None:
        """The upstream sent a comment: it is at work, though nothing of its answer is here."""
        if not self._begun:
            self._until = self._first_progress_by = self._clock() + self._first_progress

    def progressed(self) -> None:
        self._begun = True
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

    def grace_seconds(self) -> float:
        """Return how much longer a complete answer waits for its formal end."""
        return min(self._until, self._deadline) - self._clock()

    def client_informed(self) -> None:
        self._progress.sent_at = self._clock()

    def client_waits(self) -> bool:
        """Whether the client has heard nothing for so long that it wants a sign of life."""
        return self._clock() >= self._progress.sent_at + self._keepalive

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
        if not self._begun and not self._has_alternative():
            self._until = self._first_progress_by = now + LOOK_AROUND_SECONDS
            return False
        raise StreamIdleTimeout("The upstream was silent for too long")
