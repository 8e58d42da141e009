"""The base of all errors, with the fields of the OpenAI error envelope."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

# Some SDKs wait any length, others repeat at once after a longer one: a later reset is only in the body.
RETRY_AFTER_MAX_SECONDS = 60


class GatewayError(Exception):
    """
    A failure with the fields of the OpenAI error envelope.

    `retry_after_seconds` becomes the Retry-After header if it is at most a minute (`retry_headers`);
    `resets_at` (Unix seconds) always goes into the body.
    """

    status: int = 500
    type: str = "server_error"
    code: str | None = "server_error"
    retryable: ClassVar[bool] = True  # False: a header stops SDKs from retrying

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_seconds: float | None = None,
        resets_at: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds
        self.resets_at = resets_at
        self.admission: Mapping[str, Any] = {}  # details of the store's refusal, for the refusal log

    @property
    def recorded_code(self) -> str | None:
        """The code for logs, the ledger and the state of accounts: a name, never a text of an upstream."""
        return self.code

    def with_message(self, message: str) -> Self:
        """Return a copy with another *message*. `copy.copy` fails for constructors with keywords."""
        other = type(self).__new__(type(self), message)
        other.__dict__.update(self.__dict__, message=message)
        return other

    @property
    def is_retry_useful(self) -> bool:
        """Whether the same request may succeed within the time that an SDK waits."""
        return self.retryable and (self.retry_after_seconds or 0.0) <= RETRY_AFTER_MAX_SECONDS

    def retry_headers(self) -> dict[str, str]:
        """Return the header that stops SDKs from retrying, or the time to wait if it is known."""
        if not self.is_retry_useful:
            return {"x-should-retry": "false"}
        if self.retry_after_seconds is None:
            return {}
        return {"Retry-After": str(max(1, math.ceil(self.retry_after_seconds)))}

    def envelope(self) -> dict[str, Any]:
        """Return `{"error": {...}}`, with `param` only if it is known."""
        error: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        if self.param is not None:
            error["param"] = self.param
        if self.resets_at is not None:
            error["resets_at"] = int(self.resets_at)
        return {"error": error}


def internal_error() -> GatewayError:
    """Return the generic 500 error. Details of the exception are never exposed."""
    return GatewayError("The gateway failed to handle this request")
