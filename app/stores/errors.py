"""Map the exceptions of the Redis client to the gateway's own: StoreUnavailable or StoreRefused."""

from __future__ import annotations

import re

from redis.exceptions import RedisClusterException, RedisError, ResponseError

from app import descriptors
from app.errors import StoreError, StoreOutOfDescriptors, StoreRefused, StoreUnavailable

REDIS_ERRORS = (RedisError, RedisClusterException)  # the latter is not a subclass of the former
MAX_REASON_CHARS = 300  # longest error message; scripts put names of fields in it, never values
# States of a server that is away, cannot be written, or denies access: the same command may succeed later.
_SERVER_STATES = re.compile(
    r"\b(OOM|READONLY|LOADING|MISCONF|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|NOREPLICAS|BUSY|UNKILLABLE|MOVED|ASK"
    r"|NOAUTH|NOPERM|EXECABORT|NOGOODSLAVE)\b|[Ss]cript killed|No space left|maxmemory"
)
# Those of a server that answers but refuses every write: its disk or memory is full, or it is a replica.
_NO_WRITES = re.compile(
    r"\b(OOM|READONLY|MISCONF|NOREPLICAS|NOGOODSLAVE)\b|No space left|maxmemory|read only replica"
)


def store_error(error: Exception) -> StoreError:
    """
    Return the gateway's exception for *error*, an exception of the Redis client.

    It is StoreRefused if a script failed by its own error, else StoreUnavailable, so that limits fail closed.
    """
    if is_script_error(error):
        return StoreRefused(str(error)[:MAX_REASON_CHARS])
    return unavailable(error)


def is_script_error(error: Exception) -> bool:
    """
    Return whether a script failed by its own error, so that the same call fails again.

    The message of such an error names the script and no state of the server. Redis 6 puts the error of a
    command into the middle of the message; redis-py has classes of its own for some states, and removes
    their code from the message.
    Source: https://redis.io/docs/latest/develop/interact/programmability/eval-intro/
    """
    text = str(error)
    return type(error) is ResponseError and "user_script" in text and not _SERVER_STATES.search(text)


def unavailable(error: Exception) -> StoreUnavailable:
    """Return the StoreUnavailable for *error*; StoreOutOfDescriptors when this process can open no socket."""
    if descriptors.is_exhaustion(error):
        return StoreOutOfDescriptors()
    trouble = "accepts no writes" if _NO_WRITES.search(str(error)) else "is not answering"
    return StoreUnavailable(
        f"The gateway's store {trouble}; no request can be admitted just now", retry_after_seconds=1
    )
