"""The mutable state that all attempts of one request share, over its accounts and fallback models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.relay.context import RequestContext
from app.relay.retry_policy import MAX_WAIT_SECONDS, WITH_FALLBACKS_SECONDS
from app.stores.records.api_keys import CutPolicy
from app.translation.resume.delivered import Delivered, delivered_for


@dataclass(slots=True)
class RequestProgress:
    """The progress of one request. Times are seconds on one monotonic clock; the deadline includes waits."""

    started_at: float
    deadline: float
    sent_at: float  # when the client was last sent anything, keep-alives included
    delivered: Delivered | None = None  # None: a broken stream is not continued
    committed: bool = False  # whether the client received a part of a response
    attempts: int = 0  # upstream requests so far
    waited_seconds: float = 0.0  # for resting accounts, and between attempts
    queued_seconds: float = 0.0  # before admission, until an account was free
    fallbacks_left: int = 0  # models that may still be tried
    passed_over: tuple[RequestContext, ...] = ()  # requests at earlier models, which could serve soon
    leave_queue: Callable[[], None] | None = None  # leaves the queue, while a wait is interrupted
    continued_after_stall: bool = False
    is_caller_current: bool = False  # the API key was compared with its stored record

    def may_continue(self, *, stalled: bool) -> bool:
        """
        Return whether another response may continue what was delivered.

        A stall takes longer than any other failure, so a response is continued after one stall only.
        """
        if self.delivered is None or not self.delivered.resumable:
            return False
        return not (stalled and self.continued_after_stall)

    def note_continuation(self, *, stalled: bool) -> None:
        """Note that another response is about to continue one that broke off; *stalled*: after a silence."""
        self.continued_after_stall |= stalled

    def wait_left(self) -> float:
        """Return how many seconds the request may still wait between attempts, over all its models."""
        if self.fallbacks_left:
            return WITH_FALLBACKS_SECONDS - self.waited_seconds - self.queued_seconds
        return MAX_WAIT_SECONDS - self.waited_seconds

    def take_wait(self, seconds: float, now: float) -> bool:
        """Return whether the request may wait *seconds* from *now* on; if so, they count as waited."""
        if seconds > self.wait_left() or now + seconds >= self.deadline:
            return False
        self.waited_seconds += seconds
        return True


def progress_of(context: RequestContext, now: float, total_seconds: float) -> RequestProgress:
    """Return the progress of a request that starts *now* and may take *total_seconds* with its fallbacks."""
    may_restart = context.options.stream and context.options.on_stream_error == CutPolicy.RESTART
    return RequestProgress(
        now,
        now + total_seconds,
        now,
        delivered_for(context.request.client_protocol) if may_restart else None,
        fallbacks_left=len(context.fallbacks),
    )
