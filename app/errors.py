"""
Every failure that a client can receive, with its HTTP status, type and code.

    GatewayError
    ├── InvalidRequest             400  the request is wrong; `param` names the field
    │   ├── NotJson
    │   ├── NotAnObject
    │   ├── PayloadTooLarge        413
    │   ├── BodyTimeout            408  the body came too slowly
    │   ├── PreviousResponseNotFound    of a WebSocket
    │   ├── LaneUnusable                a message of a WebSocket cannot run in its lane
    │   ├── ConnectionLimitReached      a WebSocket takes no more messages; a new one does
    │   ├── IdempotencyKeyReused   422  an Idempotency-Key was sent with another body
    │   └── NotReplayable          409  the response to the first request with that key is not stored
    ├── StillRunning               409  a request with the same Idempotency-Key is running
    ├── InvalidApiKey              401
    ├── NotSignedIn                401  the admin pages and API need a session or an admin token
    ├── ForgedRequest              403  cross-site: the request did not come from an admin page
    ├── ReadOnlyToken              403  an admin token of scope `read` tried to change something
    ├── RoleNotAllowed             403  the role of an operator does not include a page or call
    ├── SecondFactorRequired       403  an operator has to set a second factor up first
    ├── SignInRefused              403  another service verified a person, who may not sign in here
    ├── TooManyAttempts            429  sign-ins; see `retry_after_seconds`
    ├── ModelNotAllowed            403
    ├── RotationNotAllowed         403  a key's holder may not rotate it
    ├── TeamDisabled               403  the team of the API key
    ├── NotFound                   404
    │   └── ModelNotFound
    ├── MethodNotAllowed           405
    ├── UpgradeRefused             426  WebSocket handshakes
    ├── QuotaExceeded              429  the caller's own limit; see `retry_after_seconds`
    │   └── NeverFits              429  the request exceeds the whole limit
    ├── Overloaded                 429  this process is at capacity
    ├── NotSupported               501
    ├── NoAccounts                 503  no account is available
    │   ├── CredentialUnreadable   503  … their credentials were encrypted with another key
    │   ├── PoolLimited            429  … all are full or rate-limited
    │   └── PoolSpent              429  … all have used up their limits
    ├── StoreError
    │   ├── StoreUnavailable       503  Redis is unreachable, or not writable
    │   │   └── StoreOutOfDescriptors  … because this process can open no more connections
    │   └── StoreRefused           500  a Lua script failed: a defect, never retried
    ├── OutOfDescriptors           503  for a connection to a client or an upstream
    ├── WorkerStopping             503
    ├── ClientGone                  –   the client disconnected; nothing is sent
    └── UpstreamError              502  the upstream failed with no better code
        ├── UpstreamRejected        *   it answered with its own error
        ├── EndpointMissing        404  its server does not have the endpoint
        ├── UpstreamUnreachable    502  connect, TLS, reset
        ├── UpstreamTimeout        502  the deadline over all attempts
        ├── StreamIdleTimeout      502  silence, or no first progress
        ├── StreamIncomplete       502  the stream ended without a terminal event
        │   └── ResponsesDiffer    502  … and no other account could continue it
        ├── StreamEventTooLarge    502
        ├── UpstreamProtocolError  502  bytes that are not the protocol
        └── UpstreamRedirected     502  a redirect: the account's base URL is wrong

Only `app.api.errors` turns these into HTTP responses; in a stream the same fields become
the error event.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self

from app.formatting import duration

_PLAIN_CODE = re.compile(r"[\w.:-]{1,64}", re.ASCII)


class BodyShape(StrEnum):
    """The format of an upstream's error body, which indicates who wrote it."""

    ENVELOPE = "error object"  # from the API server: it has a message, a type or a code
    JSON = "other JSON"
    TEXT = "text"
    HTML = "HTML"  # from a proxy in front of that server
    EMPTY = "empty"


class GatewayError(Exception):
    """
    A failure with the fields of the OpenAI error envelope.

    `retry_after_seconds` becomes the Retry-After header if it is at most a minute;
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

    def envelope(self) -> dict[str, Any]:
        """Return `{"error": {...}}`, with `param` only if it is known."""
        error: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        if self.param is not None:
            error["param"] = self.param
        if self.resets_at is not None:
            error["resets_at"] = int(self.resets_at)
        return {"error": error}


class InvalidRequest(GatewayError):
    """The request is malformed or has an unacceptable value; `param` names the field."""

    status, type, code = 400, "invalid_request_error", "invalid_request_error"
    retryable = False


class NotJson(InvalidRequest):
    """The body cannot be parsed: *reason* is the cause, *position* the offset in characters."""

    def __init__(self, reason: str, *, position: int) -> None:
        super().__init__(f"The request body is not valid JSON: {reason}")
        self.reason, self.position = reason, position


class PreviousResponseNotFound(InvalidRequest):
    """A `previous_response_id` that the connection does not have: clients then send the full input."""

    code = "previous_response_not_found"

    def __init__(self, response_id: str) -> None:
        super().__init__(
            f"Previous response with id '{response_id}' not found.", param="previous_response_id"
        )


class LaneUnusable(InvalidRequest):
    """A message of a WebSocket cannot run in its lane, for the reason *code*."""

    def __init__(self, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.code = code


class ConnectionLimitReached(InvalidRequest):
    """A WebSocket has reached its age, or its process stops: clients connect again, with the full input."""

    code = "websocket_connection_limit_reached"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}. Create a new websocket connection to continue.")


class NotAnObject(InvalidRequest):
    """The body is JSON, but *value* is not an object."""

    def __init__(self, value: Any) -> None:
        super().__init__("The request body must be a JSON object")
        self.value = value


class PayloadTooLarge(InvalidRequest):
    """The body exceeds a size limit."""

    status, code = 413, "payload_too_large"


class BodyTimeout(InvalidRequest):
    """The client sent its body too slowly."""

    status, code = 408, "request_timeout"
    retryable = True


class IdempotencyKeyReused(InvalidRequest):
    """An `Idempotency-Key` was sent before with another body."""

    status, code = 422, "idempotency_key_reused"


class NotReplayable(InvalidRequest):
    """A request with the same `Idempotency-Key` ran, but its response is not stored."""

    status, code = 409, "idempotency_response_not_stored"


class StillRunning(GatewayError):
    """A request with the same `Idempotency-Key` is running, and there is no place to wait for it."""

    status, type, code = 409, "invalid_request_error", "idempotency_request_running"


class InvalidApiKey(GatewayError):
    """The API key is missing, unknown, expired or disabled."""

    status, type, code = 401, "authentication_error", "invalid_api_key"
    retryable = False


class NotSignedIn(GatewayError):
    """The admin pages and their API need a session or an admin token."""

    status, type, code = 401, "authentication_error", "not_signed_in"
    retryable = False


class ReadOnlyToken(GatewayError):
    """An admin token of scope `read` was used for a change."""

    status, type, code = 403, "invalid_request_error", "read_only_token"
    retryable = False


class ForgedRequest(GatewayError):
    """A form or script request lacks the proof that it came from an admin page (CSRF)."""

    status, type, code = 403, "invalid_request_error", "forged_request"
    retryable = False


class RoleNotAllowed(GatewayError):
    """The role of the operator, or of the operator of an admin token, does not include this."""

    status, type, code = 403, "invalid_request_error", "role_not_allowed"
    retryable = False


class SecondFactorRequired(GatewayError):
    """The policy requires a second factor, which the operator who is signed in does not have."""

    status, type, code = 403, "invalid_request_error", "second_factor_required"
    retryable = False


class RotationNotAllowed(GatewayError):
    """The pool does not let the holders of keys rotate them."""

    status, type, code = 403, "invalid_request_error", "rotation_not_allowed"
    retryable = False

    def __init__(self) -> None:
        super().__init__("In this pool, the holder of a key may not rotate it; an operator can")


class SignInRefused(GatewayError):
    """An operator could not sign in by another service, for the reason in the message."""

    status, type, code = 403, "authentication_error", "sign_in_refused"
    retryable = False


class TooManyAttempts(GatewayError):
    """Too many failed sign-ins; see `retry_after_seconds`."""

    status, type, code = 429, "rate_limit_error", "too_many_attempts"


class ModelNotAllowed(GatewayError):
    """The API key is restricted to other models."""

    status, type, code = 403, "invalid_request_error", "model_not_allowed"
    retryable = False

    def __init__(self, model: str) -> None:
        super().__init__(f"This API key does not have access to model '{model}'")
        self.model = model


class TeamDisabled(GatewayError):
    """An operator disabled the team of the API key."""

    status, type, code = 403, "invalid_request_error", "team_disabled"
    retryable = False

    def __init__(self, team: str) -> None:
        super().__init__(f"The team '{team}' of this API key has been disabled")


class NotFound(GatewayError):
    """The address, or the object that it names, does not exist."""

    status, type, code = 404, "invalid_request_error", "not_found"
    retryable = False


class ModelNotFound(NotFound):
    """No account serves the model."""

    code = "model_not_found"


class MethodNotAllowed(GatewayError):
    """The address exists, but not for this HTTP method."""

    status, type, code = 405, "invalid_request_error", "method_not_allowed"
    retryable = False


class UpgradeRefused(GatewayError):
    """WebSocket handshakes are refused; clients then fall back to HTTP."""

    status, type, code = 426, "invalid_request_error", "upgrade_refused"
    retryable = False


class QuotaExceeded(GatewayError):
    """A limit of the API key, its team or the pool is used up; see `retry_after_seconds`."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class NeverFits(QuotaExceeded):
    """The request alone exceeds its limit: waiting does not help."""

    retryable = False


class Overloaded(GatewayError):
    """This process is at capacity: too many requests or too many buffered bytes."""

    status, type, code = 429, "rate_limit_error", "proxy_overloaded"


class NotSupported(GatewayError):
    """The endpoint or feature is not implemented."""

    status, type, code = 501, "server_error", "not_implemented"
    retryable = False


class NoAccounts(GatewayError):
    """No account is available for the request."""

    status, type, code = 503, "server_error", "no_accounts"


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

    def envelope(self) -> dict[str, Any]:
        body = super().envelope()
        body["error"].update(self.extra)
        return body


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


class OutOfDescriptors(GatewayError):
    """This process can open no more files and sockets; no upstream or account is at fault."""

    status, type, code = 503, "server_error", "out_of_descriptors"

    def __init__(self) -> None:
        super().__init__(
            "This gateway process is out of file descriptors; please send the request again",
            retry_after_seconds=1,
        )


class StoreOutOfDescriptors(StoreUnavailable):
    """Redis could not be reached because this process can open no more sockets."""

    code = OutOfDescriptors.code

    def __init__(self) -> None:
        super().__init__(OutOfDescriptors().message, retry_after_seconds=1)


class WorkerStopping(GatewayError):
    """This process is shutting down; another one can serve the request."""

    status, type, code = 503, "server_error", "worker_stopping"


class ClientGone(GatewayError):
    """The client disconnected; the status is for the log and the ledger only."""

    status, code = 499, "client_gone"
    retryable = False


class UpstreamError(GatewayError):
    """
    The upstream failed; the base class has no more specific code.

    `upstream_status` is the HTTP status of the upstream, None without one and if the error came inside
    a stream; `upstream_code` is the code, else the type, that it reported, of at most 64 letters, digits
    and `_.:-`, else ''.
    """

    status, type = 502, "server_error"
    code: str | None = "upstream_error"
    upstream_status: int | None = None
    upstream_code: str = ""


class UpstreamRejected(UpstreamError):
    """
    The upstream answered with its own error.

    `status`, `type` and `code` are for the client.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str,
        code: str | None,
        upstream_status: int | None = None,
        extra: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message, **more)
        self.shape = BodyShape.ENVELOPE
        self.limit_family = ""  # the limit that was reached, unless it is the main one
        self.status, self.type, self.code = status, type, code
        self.upstream_status = upstream_status
        self.headers: Mapping[str, str] = {}  # headers of the response, which may report usage windows
        # Whether a text also occurs in the request: servers echo the values that they refuse.
        self.echoes_request: Callable[[str], bool] = _is_not_echoed
        self.extra = extra or {}  # plan_type, resets_in_seconds: passed on unchanged

    @property
    def recorded_code(self) -> str | None:
        return self.code if self.code is None or is_plain_code(self.code) else UpstreamError.code

    def envelope(self) -> dict[str, Any]:
        body = super().envelope()
        body["error"].update(self.extra)
        return body


def _is_not_echoed(text: str) -> bool:
    return False


class EndpointMissing(UpstreamError):
    """The account's server does not have the endpoint, or not for this model."""

    status, type = 404, "invalid_request_error"
    code = "model_not_found"
    retryable = False

    def __init__(self, endpoint: str, model: str) -> None:
        super().__init__(f"No account of this pool offers {endpoint} with the model '{model}'", param="model")


class UpstreamUnreachable(UpstreamError):
    """The connection failed; `sent` is true if the request may have reached the upstream."""

    code = "upstream_unavailable"

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class UpstreamTimeout(UpstreamError):
    """The deadline over all attempts of the request passed."""

    code = "upstream_request_timeout"


class StreamIdleTimeout(UpstreamError):
    """The stream was silent for too long, or made no first progress in time."""

    code = "stream_idle_timeout"


class StreamIncomplete(UpstreamError):
    """The stream ended without a terminal event."""

    code = "stream_incomplete"


class ResponsesDiffer(StreamIncomplete):
    """A stream was cut, and the response that should continue it began differently."""


class StreamEventTooLarge(UpstreamError):
    """One event of the stream exceeds the size limit."""

    code = "stream_event_too_large"


class UpstreamProtocolError(UpstreamError):
    """The upstream violated the protocol. `location`, for the log, is the code that found it; no content."""

    code = "upstream_protocol_error"
    location = ""


class UpstreamRedirected(UpstreamError):
    """
    The upstream answered with a redirect, which is never followed: it would leak the credential.

    Retrying does not help: the account's base URL has to be corrected.
    """

    code = "upstream_redirected"
    retryable = False

    def __init__(self, status: int) -> None:
        super().__init__(
            f"The upstream redirected to another address (status {status}); check the account's base URL"
        )
        self.upstream_status = status


def is_plain_code(code: str) -> bool:
    """Return whether *code* is a name of at most 64 letters, digits and `_.:-`, as those of errors are."""
    return _PLAIN_CODE.fullmatch(code) is not None


def internal_error() -> GatewayError:
    """Return the generic 500 error. Details of the exception are never exposed."""
    return GatewayError("The gateway failed to handle this request")


def error_for_status(status: int | None, description: str | None) -> GatewayError:
    """Return the error for an HTTP *status* that Flask raised, with Flask's *description*."""
    match status:
        case 404:
            return NotFound("There is nothing at this address")
        case 405:
            return MethodNotAllowed("This address does not take this method")
        case 413:
            return PayloadTooLarge("The request body is too large")
    if status is not None and status < 500:
        return InvalidRequest(description or "The request could not be understood")
    return internal_error()


def documented_codes() -> frozenset[str]:
    """Return the codes of the gateway's own errors; the guide explains each."""
    kinds: list[type[GatewayError]] = [GatewayError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    own = {kind.code for kind in kinds if kind.__module__ == __name__ and kind is not ClientGone}
    return frozenset(code for code in own if code)
