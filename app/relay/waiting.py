"""
New requests that wait because every account is busy or rests for a few seconds.

A waiting request has a place in the queue of its pool, but no lease, no slot and no reservation. It is
admitted like any other when it is tried again, so changes in between apply to it. Source of the order:
queue.lua.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from math import inf
from random import Random

from app.accounts.settings import PoolSettings
from app.process_metrics import Gauge, Histogram
from app.relay.context import Caller, RequestContext
from app.relay.progress import RequestProgress
from app.relay.retry_policy import WITH_FALLBACKS_SECONDS
from app.stores.records.admission import AccountsRefusal

MAX_WAITING = 1024  # waiting requests of one process, for all pools; more are refused at once
POLL_SECONDS = 0.05  # between two tries of the first request in the queue; the n-th waits n times as long
POLL_MAX_SECONDS = 1.0
RENEW_SECONDS = 2.0  # longest pause between two tries: a place expires after 5 s without one
RECHECK_SECONDS = 1.0  # how long the last model is waited for before earlier ones are tried again
WAIT_BUCKETS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 600)  # seconds

WAITING = Gauge("poolgate_requests_waiting", "Requests that wait for an account.")
WAITED = Histogram(
    "poolgate_queue_seconds", "How long requests waited for an account.", ("outcome",), WAIT_BUCKETS
)


class EarlierModelsDue(Exception):
    """Interrupts the wait for the last model, because earlier models may be able to serve now."""


class WaitOutcome(StrEnum):
    """How the wait of a request for an account ended."""

    ADMITTED = "admitted"
    REFUSED = "refused"  # the wait was too long, or the request is refused for another reason
    LEFT = "left"  # the client has disconnected


for each in WaitOutcome:
    WAITED.show((each.value,))


def observe_wait(outcome: WaitOutcome, seconds: float) -> None:
    """Count the wait of one request."""
    WAITED.observe(seconds, (outcome.value,))


class WaitingRequests:
    """The requests of this process that wait for an account; a worker ends their waits when it stops."""

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
        WAITING.value += 1
        try:
            yield
        finally:
            self._by_id.pop(context.request_id, None)
            WAITING.value -= 1

    def stop(self) -> None:
        """End all waits with an error: this process is shutting down."""
        for context in list(self._by_id.values()):
            context.caller.cancellation.worker_stopping()


def longest_wait(caller: Caller, settings: PoolSettings) -> float:
    """Return the maximum wait of a request of *caller*, in seconds; *settings* are those of its pool."""
    own = caller.key.queue_seconds
    allowed = settings.queue_seconds if own is None else own
    return allowed if caller.queue_seconds is None else min(allowed, caller.queue_seconds)


def wait_seconds(
    refused: AccountsRefusal | None, progress: RequestProgress, longest: float, now: float, random: Random
) -> float | None:
    """
    Return the seconds to wait before another try after a refusal; None where that is not worth it.

    *longest* is the maximum wait in seconds. Source of `rest_ms` and `busy`: availability.lua.
    """
    if refused is None:
        return None
    left = seconds_left(progress, longest, now)
    is_busy = refused.busy > 0 and not progress.fallbacks_left
    rest = (refused.rest_ms or 0.0) / 1000
    returns = refused.rest_ms is not None and rest < left
    if left <= 0 or not (is_busy or returns):
        return None
    wait = poll_seconds(refused.waiting_before or 0, random)
    if not is_busy:
        wait = min(wait + rest, RENEW_SECONDS)
    return min(wait, left)


def seconds_left(progress: RequestProgress, longest: float, now: float) -> float:
    """Return the seconds that a request may still wait at *now* (monotonic), of *longest* seconds in all."""
    left = longest - progress.queued_seconds
    if progress.fallbacks_left:
        left = min(left, WITH_FALLBACKS_SECONDS - progress.queued_seconds - progress.waited_seconds)
    return min(left, progress.deadline - now)


def keepalive_seconds(usual: float, left: float) -> float:
    """Return the interval of keep-alives; infinite near the end, so that a refusal has an HTTP status."""
    return inf if left <= RENEW_SECONDS else usual


def could_serve_soon(refused: AccountsRefusal | None) -> bool:
    """Return whether an account is only busy, or rests until a known time."""
    return refused is not None and (refused.busy > 0 or refused.rest_ms is not None)


def poll_seconds(waiting_before: int, random: Random) -> float:
    """Return the seconds until the next try of a request that *waiting_before* others precede."""
    return random.uniform(0.5, 1.0) * min(POLL_MAX_SECONDS, POLL_SECONDS * (waiting_before + 1))
