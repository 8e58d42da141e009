"""
Every failure that a caller can be told about.

    GatewayError
    ├── InvalidRequest             400  the request is wrong; `param` names the field
    │   ├── NotJson
    │   ├── NotAnObject
    │   ├── PayloadTooLarge        413
    │   └── BodyTimeout            408  the body came too slowly
    ├── InvalidApiKey              401
    ├── NotSignedIn                401  the admin pages and their API want a session or an admin token
    ├── ForgedRequest              403  it did not come from a page of ours
    ├── ReadOnlyToken              403  an admin token of scope `read`, for more than reading
    ├── TooManyAttempts            429  sign-ins; see `retry_after_seconds`
    ├── ModelNotAllowed            403
    ├── NotFound                   404
    ├── MethodNotAllowed           405
    ├── UpgradeRefused             426  WebSocket handshakes
    ├── QuotaExceeded              429  the caller's own limit; see `retry_after_seconds`
    │   └── NeverFits              429  more than the limit ever allows
    ├── Overloaded                 429  this gateway has no room
    ├── NotSupported               501
    ├── NoAccounts                 503  no account is available
    │   ├── CredentialUnreadable   503  … because this process lacks the key of their credentials
    │   ├── PoolLimited            429  … because all are full or rate-limited
    │   └── PoolSpent              429  … because all have used up their limits
    ├── StoreError
    │   ├── StoreUnavailable       503  Redis is away, or cannot be written
    │   │   └── StoreOutOfDescriptors  … because this process can open no more connections
    │   └── StoreRefused           500  a script of ours failed by itself: a defect, never repeated
    ├── OutOfDescriptors           503  so it is with those to clients and upstreams
    ├── WorkerStopping             503
    ├── ClientGone                  –   nobody is left to be told
    └── UpstreamError              502  the upstream failed with no better code
        ├── UpstreamRejected        *   it answered with a status and an envelope of its own
        ├── EndpointMissing        404  its server does not have what was asked for
        ├── UpstreamUnreachable    502  connect, TLS, reset
        ├── UpstreamTimeout        502  our deadline over all
        ├── StreamIdleTimeout      502  silence, or no first progress
        ├── StreamIncomplete       502  the end came without a terminal event
        │   └── AnswersDiffer      502  … and no other account could go on with it
        ├── StreamEventTooLarge    502
        ├── UpstreamProtocolError  502  bytes that are not the protocol
        └── UpstreamRedirected     502  a redirect: the account's base URL is wrong

`app.api.errors` alone turns one of these into an HTTP answer; in a stream the same
fields become the error event.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self

from app.formatting import duration


class BodyShape(StrEnum):
    """What the body of an upstream's error answer is made of; it says who wrote it."""

    ENVELOPE = "error object"  # of the server that was asked: it has a message, a type or a code
    JSON = "other JSON"
    TEXT = "text"
    HTML = "HTML"  # of something in front of that server
    EMPTY = "empty"


class GatewayError(Exception):
    """
    A failure with everything the OpenAI envelope wants.

    `retry_after_seconds` becomes the header when it is at most a minute away;
    `resets_at` (Unix seconds) goes into the body whatever its distance.
    """

    status: int = 500
    type: str = "server_error"
    code: str | None = "server_error"
    retryable: ClassVar[bool] = True  # false: SDKs are told not to try again

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
        self.admission: Mapping[str, Any] = {}  # what the store found when it refused, for the refusal log

    def reworded(self, message: str) -> Self:
        """Return the same failure with another *message*. `copy` fails where a constructor has keywords."""
        other = type(self).__new__(type(self), message)
        other.__dict__.update(self.__dict__, message=message)
        return other

    def envelope(self) -> dict[str, Any]:
        """Return `{"error": {...}}` with `param` only when it is known."""
        error: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        if self.param is not None:
            error["param"] = self.param
        if self.resets_at is not None:
            error["resets_at"] = int(self.resets_at)
        return {"error": error}


class InvalidRequest(GatewayError):
    status, type, code = 400, "invalid_request_error", "invalid_request_error"
    retryable = False


class NotJson(InvalidRequest):
    """The body cannot be parsed: *fault* says why, `position` where, in characters."""

    def __init__(self, fault: str, *, position: int) -> None:
        super().__init__(f"The request body is not valid JSON: {fault}")
        self.fault, self.position = fault, position


class NotAnObject(InvalidRequest):
    """The body is JSON, but another *value* than an object."""

    def __init__(self, value: Any) -> None:
        super().__init__("The request body must be a JSON object")
        self.value = value


class PayloadTooLarge(InvalidRequest):
    status, code = 413, "payload_too_large"


class BodyTimeout(InvalidRequest):
    status, code = 408, "request_timeout"
    retryable = True


class InvalidApiKey(GatewayError):
    status, type, code = 401, "authentication_error", "invalid_api_key"
    retryable = False


class NotSignedIn(GatewayError):
    status, type, code = 401, "authentication_error", "not_signed_in"
    retryable = False


class ReadOnlyToken(GatewayError):
    status, type, code = 403, "invalid_request_error", "read_only_token"
    retryable = False


class ForgedRequest(GatewayError):
    status, type, code = 403, "invalid_request_error", "forged_request"
    retryable = False


class TooManyAttempts(GatewayError):
    status, type, code = 429, "rate_limit_error", "too_many_attempts"


class ModelNotAllowed(GatewayError):
    status, type, code = 403, "invalid_request_error", "model_not_allowed"
    retryable = False

    def __init__(self, model: str) -> None:
        super().__init__(f"This API key does not have access to model '{model}'")
        self.model = model


class NotFound(GatewayError):
    status, type, code = 404, "invalid_request_error", "not_found"
    retryable = False


class ModelNotFound(NotFound):
    code = "model_not_found"


class MethodNotAllowed(GatewayError):
    status, type, code = 405, "invalid_request_error", "method_not_allowed"
    retryable = False


class UpgradeRefused(GatewayError):
    status, type, code = 426, "invalid_request_error", "upgrade_refused"
    retryable = False


class QuotaExceeded(GatewayError):
    """The caller's window is spent; see `retry_after_seconds`."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class NeverFits(QuotaExceeded):
    """The request asks for more than its limit ever allows: waiting is of no use."""

    retryable = False


class Overloaded(GatewayError):
    status, type, code = 429, "rate_limit_error", "proxy_overloaded"


class NotSupported(GatewayError):
    status, type, code = 501, "server_error", "not_implemented"
    retryable = False


class NoAccounts(GatewayError):
    status, type, code = 503, "server_error", "no_accounts"


class CredentialUnreadable(NoAccounts):
    """A stored credential was encrypted with a key that this process does not have."""

    code = "credential_unreadable"

    def __init__(self, account: str = "") -> None:
        """*account* is a name; '': of every account that could serve."""
        whose = f"of account '{account}'" if account else "of every account that could serve this request"
        super().__init__(
            f"The stored credential {whose} cannot be read: it was encrypted with another secret key. An"
            " operator has to put that key back into POOLGATE_SECRET_KEYS, or to set the credential again"
        )


class PoolLimited(NoAccounts):
    """Every account that could serve the request is full, or limited for some seconds."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class PoolSpent(NoAccounts):
    """
    Every account that could serve the request has used up its limit; the first is reset at `resets_at`.

    Its type and fields are those that Codex shows as its own usage message, and stops at.
    """

    status, type, code = 429, "usage_limit_reached", "usage_limit_reached"

    def __init__(
        self, seconds: float | None, resets_at: float | None, extra: Mapping[str, Any] | None = None
    ) -> None:
        """*seconds* until the reset and its time in Unix seconds; None where no upstream named one."""
        when = "" if seconds is None else f"; the first is reset in {duration(seconds)}"
        message = f"The usage limit of every account that could serve this request is reached{when}"
        super().__init__(message, retry_after_seconds=seconds, resets_at=resets_at)
        self.extra = dict(extra or {})
        if seconds is not None:
            self.extra["resets_in_seconds"] = math.ceil(seconds)

    def envelope(self) -> dict[str, Any]:
        body = super().envelope()
        body["error"].update(self.extra)
        return body


class StoreError(GatewayError):
    """The store did not do what it was called for."""


class StoreUnavailable(StoreError):
    status, type, code = 503, "server_error", "store_unavailable"


class StoreRefused(StoreError):
    """A script failed by its own error: the same call fails again. `reason` is for logs, not for callers."""

    retryable = False

    def __init__(self, reason: str) -> None:
        super().__init__("The gateway failed to handle this request")
        self.reason = reason


class OutOfDescriptors(GatewayError):
    """This process may open no more files and sockets; no upstream or account is at fault."""

    status, type, code = 503, "server_error", "out_of_descriptors"

    def __init__(self) -> None:
        super().__init__(
            "This gateway process is out of file descriptors; please send the request again",
            retry_after_seconds=1,
        )


class StoreOutOfDescriptors(StoreUnavailable):
    """Redis could not be reached because this process may open no more sockets."""

    code = OutOfDescriptors.code

    def __init__(self) -> None:
        super().__init__(OutOfDescriptors().message, retry_after_seconds=1)


class WorkerStopping(GatewayError):
    status, type, code = 503, "server_error", "worker_stopping"


class ClientGone(GatewayError):
    status, code = 499, "client_gone"
    retryable = False


class UpstreamError(GatewayError):
    status, type = 502, "server_error"
    code: str | None = "upstream_error"


class UpstreamRejected(UpstreamError):
    """
    The upstream answered with a failure of its own.

    `status`, `type` and `code` are what the client may see; `upstream_status` is what
    the account answered, or None when the failure came inside a stream.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str,
        code: str | None,
        upstream_status: int | None = None,
        shape: BodyShape = BodyShape.ENVELOPE,
        limit_family: str = "",
        extra: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message, **more)
        self.shape = shape
        self.limit_family = limit_family  # the limit that was reached, where it is not the main one
        self.status, self.type, self.code = status, type, code
        self.upstream_status = upstream_status
        self.headers: Mapping[str, str] = {}  # of the answer; they may tell of usage windows
        # Whether the request has these words, too: servers repeat the values that they refuse.
        self.repeats: Callable[[str], bool] = _never
        self.extra = extra or {}  # plan_type, resets_in_seconds: passed on as they came

    def envelope(self) -> dict[str, Any]:
        body = super().envelope()
        body["error"].update(self.extra)
        return body


def _never(words: str) -> bool:
    return False


class EndpointMissing(UpstreamError):
    """This account's server does not have the endpoint, or not for this model."""

    status, type = 404, "invalid_request_error"
    code = "model_not_found"
    retryable = False

    def __init__(self, endpoint: str, model: str) -> None:
        super().__init__(f"No account of this pool offers {endpoint} with the model '{model}'", param="model")


class UpstreamUnreachable(UpstreamError):
    """`sent` tells whether the request may have reached the upstream."""

    code = "upstream_unavailable"

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class UpstreamTimeout(UpstreamError):
    code = "upstream_request_timeout"


class StreamIdleTimeout(UpstreamError):
    code = "stream_idle_timeout"


class StreamIncomplete(UpstreamError):
    code = "stream_incomplete"


class AnswersDiffer(StreamIncomplete):
    """A stream was cut, and the answer that should have gone on with it began otherwise."""


class StreamEventTooLarge(UpstreamError):
    code = "stream_event_too_large"


class UpstreamProtocolError(UpstreamError):
    """`place` says where in our code an event made no sense, for the log; it holds no content."""

    code = "upstream_protocol_error"
    place = ""


class UpstreamRedirected(UpstreamError):
    """
    The upstream answered with a redirect, which is never followed: it would send a credential elsewhere.

    The account's base URL has to be corrected, so sending the request again is of no use.
    """

    code = "upstream_redirected"
    retryable = False

    def __init__(self, status: int) -> None:
        super().__init__(
            f"The upstream redirected to another address (status {status}); check the account's base URL"
        )


def our_failure() -> GatewayError:
    """Return what is said of a failure of our own: nothing of it."""
    return GatewayError("The gateway failed to handle this request")


def for_status(status: int | None, said: str | None) -> GatewayError:
    """Return the error for an HTTP *status* that no view of ours gave; *said* describes it."""
    match status:
        case 404:
            return NotFound("There is nothing at this address")
        case 405:
            return MethodNotAllowed("This address does not take this method")
        case 413:
            return PayloadTooLarge("The request body is too large")
    if status is not None and status < 500:
        return InvalidRequest(said or "The request could not be understood")
    return our_failure()
