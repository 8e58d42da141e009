"""Errors of calls to Redis."""

from __future__ import annotations

from app.errors.base import GatewayError
from app.errors.capacity import OutOfDescriptors


class StoreError(GatewayError):
    """A call to Redis failed."""


class StoreUnavailable(StoreError):
    """Redis is unreachable, too slow, or not writable."""

    status, type, code = 503, "server_error", "store_unavailable"


class StoreRefused(StoreError):
    """A Lua script failed: the same call would fail again. `reason` is for logs, not for clients."""

    retryable = False

    def __init__(self, reason: str) -> None:
        super().__init__("The gateway failed to handle this request")
        self.reason = reason


class StoreOutOfDescriptors(StoreUnavailable):
    """Redis could not be reached because this process can open no more sockets."""

    code = OutOfDescriptors.code

    def __init__(self) -> None:
        super().__init__(OutOfDescriptors().message, retry_after_seconds=1)
