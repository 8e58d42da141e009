"""A wait within a request, during which its client receives keep-alives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.relay.context import RequestContext
from app.relay.progress import RequestProgress


def pause(
    seconds: float,
    context: RequestContext,
    progress: RequestProgress,
    keepalive_seconds: float,
    clock: Callable[[], float],
) -> Iterator[None]:
    """
    Sleep *seconds*; yield None whenever the client has received nothing for *keepalive_seconds*.

    Raises the cancellation's error when the client leaves.
    """
    until = clock() + seconds
    while (left := until - clock()) > 0:
        due = progress.sent_at + keepalive_seconds - clock()
        context.caller.cancellation.sleep(min(left, max(due, 0.0)))
        if clock() >= progress.sent_at + keepalive_seconds:
            progress.sent_at = clock()
            yield None
