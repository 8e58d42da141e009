"""Errors of limits, accounts and processes that have no room for a request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from app.errors.base import GatewayError
from app.formatting import duration


class QuotaExceeded(GatewayError):
    """A limit of the API key, its team or the pool is used up; see `retry_after_seconds`."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class NeverFits(QuotaExceeded):
    """The request alone exceeds its limit: waiting does not help."""

    retryable = False


class NeverResets(QuotaExceeded):
    """The limit is used up for good: waiting does not help."""

    retryable = False


class Overloaded(GatewayError):
    """This process is at capacity: too many requests or too many buffered bytes."""

    status, type, code = 429, "rate_limit_error", "proxy_overloaded"


class NoAccounts(GatewayError):
    """No account is available for the request."""

    status, type, code = 503, "server_error", "no_accounts"


class AccountsStopped(NoAccounts):
    """No account is available until an operator adds or resumes one, or renews its credential."""

    retryable = False


class CredentialUnreadable(NoAccounts):
    """A stored credential was encrypted with a key that this process does not have."""

    code = "credential_unreadable"

    def __init__(self, account: str = "") -> None:
        """*account* is a name; '' means every account that could serve the request."""
        owner = f"of account '{account}'" if account else "of every account that could serve this request"
        super().__init__(
            f"The stored credential {owner} cannot be read: it was encrypted with another secret key. An"
            " operator has to put that key back into POOLGATE_SECRET_KEYS, or to set the credential again"
        )


class PoolLimited(NoAccounts):
    """Every account that could serve the request is full, or rate-limited for a short time."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class PoolSpent(NoAccounts):
    """
    Every account that could serve the request has used up its limit; the first resets at `resets_at`.

    Codex recognizes the type and fields, shows them as its usage message, and stops.
    """

    status, type, code = 429, "usage_limit_reached", "usage_limit_reached"

    def __init__(
        self, seconds: float | None, resets_at: float | None, extra: Mapping[str, Any] | None = None
    ) -> None:
        """*seconds* until the first reset, and its time in Unix seconds; None if no upstream reported one."""
        when = "" if seconds is None else f"; the first is reset in {duration(seconds)}"
        message = f"The usage limit of every account that could serve this request is reached{when}"
        super().__init__(message, retry_after_seconds=seconds, resets_at=resets_at)
        self.extra = dict(extra or {})
        if seconds is not None:
            self.extra["resets_in_seconds"] = math.ceil(seconds)

    @property
    def is_retry_useful(self) -> bool:
        return self.retry_after_seconds is not None and super().is_retry_useful

    def envelope(self) -> dict[str, Any]:
        body = super().envelope()
        body["error"].update(self.extra)
        return body


class PoolUnpaid(PoolSpent):
    """The providers of every account that could serve the request require payment; no reset is known."""

    def __init__(self, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(None, None, extra)
        self.message = (
            "The provider of every account that could serve this request requires payment: "
            "an operator of this gateway has to act"
        )


class OutOfDescriptors(GatewayError):
    """This process can open no more files and sockets; no upstream or account is at fault."""

    status, type, code = 503, "server_error", "out_of_descriptors"

    def __init__(self) -> None:
        super().__init__(
            "This gateway process is out of file descriptors; please send the request again",
            retry_after_seconds=1,
        )


class WorkerStopping(GatewayError):
    """This process is shutting down; another one can serve the request."""

    status, type, code = 503, "server_error", "worker_stopping"
