"""Give way to other requests between two stages of work on a large one."""

from __future__ import annotations

import gevent

SMALL_BYTES = 256 * 1024  # work on less takes a few milliseconds; a turn of the loop would cost more

# `gevent.sleep(0)` continues with what is ready already, and looks for data and expired timers only
# after fifty such calls; the shortest real wait takes one round of the event loop each time.
SHORTEST_SECONDS = 1e-6


def end_turn() -> None:
    """Let everything else run that is ready, or that data or time has made ready by now."""
    gevent.sleep(SHORTEST_SECONDS)


def give_way(size_bytes: int) -> None:
    """Let other greenlets run before more work on a request of *size_bytes*; a small one goes on at once."""
    if size_bytes > SMALL_BYTES:
        end_turn()
