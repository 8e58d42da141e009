"""
Undoes what the store may have done for refused requests: it answered too late, or not at all.

A command whose reply is lost may have been executed, or may still be. Its request is refused, so what it
reserved is released as soon as the store answers. If this process ends before that, it expires.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import gevent
import structlog

from app.errors import StoreError, StoreUnavailable

log = structlog.get_logger()

RETRY_SECONDS = 0.5
MAX_PENDING = 20_000  # about 20 MiB; what further requests may hold expires

Undo = Callable[[], object]  # raises StoreUnavailable until the store answers; its repetition is harmless


class LostReplies:
    """What is to be undone; its `len` is the number of pending calls."""

    def __init__(self) -> None:
        self._pending: deque[Undo] = deque()
        self._retrier: gevent.Greenlet | None = None

    def __len__(self) -> int:
        return len(self._pending)

    def undo(self, call: Undo) -> None:
        """Make *call* in the background until the store has answered it once."""
        if len(self._pending) >= MAX_PENDING:
            return
        self._pending.append(call)
        if not self._retrier:
            self._retrier = gevent.spawn(self._retry)

    def _retry(self) -> None:
        while self.flush():
            gevent.sleep(RETRY_SECONDS)

    def flush(self) -> int:
        """Make the pending calls until the store does not answer one; return how many remain."""
        for _ in range(len(self._pending)):
            if not self._pending:
                break  # another greenlet has made them while this one waited for Redis
            call = self._pending.popleft()
            try:
                call()
            except StoreUnavailable:
                self._pending.append(call)
                break
            except StoreError as error:  # a defect; another try would fail as well
                log.error("lost_reply_not_undone", reason=str(error))
        return len(self._pending)
