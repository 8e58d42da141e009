"""Give way to other requests between two stages of work on a large one."""

from __future__ import annotations

import gevent

SMALL_BYTES = 256 * 1024  # work on less takes a few milliseconds; a turn of the loop would cost more


def give_way(size_bytes: int) -> None:
    """Let other greenlets run before more work on a request of *size_bytes*; a small one goes on at once."""
    if size_bytes > SMALL_BYTES:
        gevent.sleep(0)
