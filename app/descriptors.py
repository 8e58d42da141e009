"""
File descriptors: as many as the system lets this process have, and no more connections than fit.

Linux gives a process 1,024 at first and macOS 256, and lets it raise that itself. Each stream holds
two: its client's connection and its upstream's.
"""

from __future__ import annotations

import errno
import os
import resource
from contextlib import suppress

MAX_CONNECTIONS = 2000  # per worker: an open stream costs some 60 kB
MIN_CONNECTIONS = 16
PER_CONNECTION = 2
MAX_RESERVED = 512  # for Redis (200), listeners, logs, metrics, and connections kept to upstreams
RESERVED_SHARE = 4  # one descriptor in so many, where there are few
REQUESTS_SHARE = 0.95  # of the connections; the rest is for probes, and for refusing
ENOUGH = 1_048_576  # where the hard limit is none
FEWER = 10_240  # what macOS takes where it has no hard limit
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


def raise_limit() -> int:
    """Raise the soft limit of this process and its children to the hard one; return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else hard
    for wanted in (most, FEWER):
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            break
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return ENOUGH if soft == resource.RLIM_INFINITY else soft


def connections_for(limit: int) -> int:
    """Return how many clients' connections a worker with *limit* descriptors may have."""
    left = limit - min(MAX_RESERVED, limit // RESERVED_SHARE)
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, left // PER_CONNECTION))


def max_requests() -> int:
    """Return how many requests a worker takes on at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = ENOUGH if soft == resource.RLIM_INFINITY else soft
    return int(connections_for(limit) * REQUESTS_SHARE)


def caused(error: BaseException | None) -> bool:
    """
    Whether *error*, of a connection that could not be made, is because this process has no descriptor left.

    A failed look-up of a name or of a certificate does not say so; there it is tried out.
    """
    seen = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in OUT_OF_DESCRIPTORS:
            return True
        seen = seen.__cause__ or seen.__context__
    return error is not None and _are_none_left()


def _are_none_left() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in OUT_OF_DESCRIPTORS
    return False
