"""
File descriptors: raise the process's limit, and derive the number of connections from it.

The initial soft limit is 1,024 on Linux and 256 on macOS; a process may raise it itself. Each
stream holds two descriptors: its client's connection and its upstream's.
"""

from __future__ import annotations

import errno
import os
import resource
from contextlib import suppress

MAX_CONNECTIONS = 2000  # per worker: an open stream costs some 60 kB
MIN_CONNECTIONS = 16
PER_CONNECTION = 2
MAX_RESERVED = 512  # for Redis (64), listeners, logs, metrics, and idle upstream connections
RESERVED_SHARE = 4  # reserve one descriptor in four if the limit is low
REQUESTS_SHARE = 0.95  # share of the connections; the rest serve probes and refusals
UNLIMITED = 1_048_576  # used if there is no hard limit
MACOS_LIMIT = 10_240  # the maximum that macOS accepts without a hard limit
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


def raise_limit() -> int:
    """Raise the soft limit of this process and its children to the hard one; return the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = UNLIMITED if hard == resource.RLIM_INFINITY else hard
    for target in (highest, MACOS_LIMIT):
        if soft == resource.RLIM_INFINITY or soft >= target:
            break
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            return target
    return UNLIMITED if soft == resource.RLIM_INFINITY else soft


def max_connections(limit: int) -> int:
    """Return how many client connections a worker with *limit* descriptors may have."""
    left = limit - min(MAX_RESERVED, limit // RESERVED_SHARE)
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, left // PER_CONNECTION))


def max_requests() -> int:
    """Return how many requests a worker serves at a time."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = UNLIMITED if soft == resource.RLIM_INFINITY else soft
    return int(max_connections(limit) * REQUESTS_SHARE)


def is_exhaustion(error: BaseException | None) -> bool:
    """
    Return whether a connection failed with *error* because this process has no descriptor left.

    A failed DNS lookup or certificate load does not report the reason; then a descriptor is opened
    to find out.
    """
    cause = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in OUT_OF_DESCRIPTORS:
            return True
        cause = cause.__cause__ or cause.__context__
    return error is not None and _are_exhausted()


def _are_exhausted() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in OUT_OF_DESCRIPTORS
    return False
