"""Let other greenlets run between two steps of work on a large request."""

from __future__ import annotations

import gevent

SMALL_BYTES = 256 * 1024  # smaller work takes a few milliseconds, less than switching would cost

# `gevent.sleep(0)` runs greenlets that are ready, but checks for data and expired timers only after
# fifty such calls; a positive wait takes one round of the event loop each time.
SHORTEST_SECONDS = 1e-6


def end_turn() -> None:
    """Run one round of the event loop: greenlets that are ready, have data, or whose timer has expired."""
    gevent.sleep(SHORTEST_SECONDS)


def give_way(size_bytes: int) -> None:
    """Let other greenlets run, unless the request is small (*size_bytes*)."""
    if size_bytes > SMALL_BYTES:
        end_turn()
