"""What all attempts of one request share, over its accounts and over its fallback models."""

from __future__ import annotations

from dataclasses import dataclass

from app.relay.context import RequestContext
from app.translation.resume.delivered import Delivered, delivered_for


@dataclass(slots=True)
class RequestProgress:
    """Moments are seconds of one monotonic clock. One deadline spans everything, waits included."""

    started_at: float
    deadline: float
    sent_at: float  # when the caller was last sent anything, if only a sign of life
    delivered: Delivered | None = None  # what the caller got; None: a cut stream is not continued
    committed: bool = False  # whether the caller got a part of an answer
    attempts: int = 0  # upstream requests so far
    waited_seconds: float = 0.0  # for accounts that rest, and between attempts
    fallbacks_left: int = 0  # models that may still follow
    continued_after_stall: bool = False

    def may_continue(self, *, stalled: bool) -> bool:
        """
        Return whether another answer may continue what was delivered.

        A stall takes the longest of all failures, so only one is followed by another attempt.
        """
        if self.delivered is None or not self.delivered.resumable:
            return False
        return not (stalled and self.continued_after_stall)

    def continuing(self, *, stalled: bool) -> None:
        """Note that another answer is about to continue one that broke off, or *stalled*."""
        self.continued_after_stall |= stalled


def progress_of(context: RequestContext, now: float, total_seconds: float) -> RequestProgress:
    """Return the context of a new request that may take *total_seconds*, fallbacks included."""
    restarts = context.stream and context.on_cut == "restart"
    return RequestProgress(
        now,
        now + total_seconds,
        now,
        delivered_for(context.surface) if restarts else None,
        fallbacks_left=len(context.fallbacks),
    )
