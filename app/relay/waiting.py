"""
New requests for which no account has room just now, but will have within seconds.

One that waits holds nothing: no lease, no slot, no amount under a limit. It is admitted like any
other once it is tried again, so whatever changed in between counts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.relay.context import RequestContext
from app.relay.progress import RequestProgress
from app.relay.retry_policy import MAX_WAIT_SECONDS, WAKE_JITTER

MAX_WAITING = 256  # requests of one process; more are refused at once
WITH_FALLBACKS_SECONDS = 2.5  # for the model itself, where the caller named others that may answer
POLL_SECONDS = 0.2  # for a slot, which no one can foresee; growing with the wait to POLL_MAX_SECONDS
POLL_MAX_SECONDS = 2.0
WAKE_SPREAD_SECONDS = 0.1  # over which those that wait for the same account are spread at least


class WaitingRequests:
    """The requests of this process that wait for an account; a worker that stops ends their waits."""

    def __init__(self) -> None:
        self._by_id: dict[str, RequestContext] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def full(self) -> bool:
        return len(self._by_id) >= MAX_WAITING

    @contextmanager
    def entered(self, context: RequestContext) -> Iterator[None]:
        """Count *call* among those that wait inside this block."""
        self._by_id[context.request_id] = context
        try:
            yield
        finally:
            self._by_id.pop(context.request_id, None)

    def stop(self) -> None:
        """End all waits, honestly: this process is shutting down."""
        for context in list(self._by_id.values()):
            context.cancellation.worker_stopping()


def wait_seconds(
    reply: dict[str, Any], progress: RequestProgress, now: float, chance: random.Random
) -> float | None:
    """
    Return how long to wait before *reply*, a refusal, is worth another try; None where it is not.

    Source of `rest_ms` and `busy`: availability.lua.
    """
    if reply["refused"] != "no_accounts":
        return None
    limit = WITH_FALLBACKS_SECONDS if progress.fallbacks_left else MAX_WAIT_SECONDS
    left = min(limit - progress.waited_seconds, progress.deadline - now)
    rest = _rest_seconds(reply, left, chance)
    if progress.fallbacks_left or not reply.get("busy"):
        return rest
    poll = chance.uniform(0.5, 1.0) * min(POLL_MAX_SECONDS, POLL_SECONDS + progress.waited_seconds / 2)
    poll = min(poll, left)
    if poll <= 0:
        return rest
    return poll if rest is None else min(poll, rest)


def _rest_seconds(reply: dict[str, Any], left: float, chance: random.Random) -> float | None:
    """Return the time until the first account is back and a little more, so that not all wake at once."""
    if reply.get("rest_ms") is None:
        return None
    rest: float = reply["rest_ms"] / 1000
    if rest >= left:
        return None
    return min(rest + chance.uniform(0.0, WAKE_SPREAD_SECONDS + WAKE_JITTER * rest), left)
