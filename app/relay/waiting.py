"""
New requests that wait because every account is busy or rests for a few seconds.

A waiting request has no lease, no slot and no reservation. It is admitted like any other when it is
tried again, so changes in between apply to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from app.relay.context import RequestContext
from app.relay.progress import RequestProgress
from app.relay.retry_policy import MAX_WAIT_SECONDS, WAKE_JITTER
from app.stores.records.admission import AccountsRefusal

MAX_WAITING = 256  # requests of one process; more are refused at once
WITH_FALLBACKS_SECONDS = 2.5  # for the first model, where the caller names fallbacks
POLL_SECONDS = 0.2  # between two tries for a slot, growing with the wait to POLL_MAX_SECONDS
POLL_MAX_SECONDS = 2.0
WAKE_SPREAD_SECONDS = 0.1  # the minimum over which requests for the same account are spread


class WaitingRequests:
    """The requests of this process that wait for an account; a worker that stops ends their waits."""

    def __init__(self) -> None:
        self._by_id: dict[str, RequestContext] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def is_full(self) -> bool:
        return len(self._by_id) >= MAX_WAITING

    @contextmanager
    def track(self, context: RequestContext) -> Iterator[None]:
        """Count *context* among the waiting requests inside this block."""
        self._by_id[context.request_id] = context
        try:
            yield
        finally:
            self._by_id.pop(context.request_id, None)

    def stop(self) -> None:
        """End all waits with an error: this process is shutting down."""
        for context in list(self._by_id.values()):
            context.caller.cancellation.worker_stopping()


def wait_seconds(
    refused: AccountsRefusal | None, progress: RequestProgress, now: float, random: Random
) -> float | None:
    """
    Return the seconds to wait before another try after a refusal; None where that is not worth it.

    Source of `rest_ms` and `busy`: availability.lua.
    """
    if refused is None:
        return None
    limit = WITH_FALLBACKS_SECONDS if progress.fallbacks_left else MAX_WAIT_SECONDS
    left = min(limit - progress.waited_seconds, progress.deadline - now)
    rest = _rest_seconds(refused.rest_ms, left, random)
    if progress.fallbacks_left or not refused.busy:
        return rest
    poll = random.uniform(0.5, 1.0) * min(POLL_MAX_SECONDS, POLL_SECONDS + progress.waited_seconds / 2)
    poll = min(poll, left)
    if poll <= 0:
        return rest
    return poll if rest is None else min(poll, rest)


def _rest_seconds(rest_ms: float | None, left: float, random: Random) -> float | None:
    """Return the time until the first account is back, spread a little so that not all wake at once."""
    if rest_ms is None:
        return None
    rest = rest_ms / 1000
    if rest >= left:
        return None
    return min(rest + random.uniform(0.0, WAKE_SPREAD_SECONDS + WAKE_JITTER * rest), left)
