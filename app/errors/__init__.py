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
    │   ├── NeverFits              429  the request exceeds the whole limit
    │   └── NeverResets            429  the limit is used up and does not reset
    ├── Overloaded                 429  this process is at capacity
    ├── NotSupported               501
    ├── NoAccounts                 503  no account is available
    │   ├── AccountsStopped        503  … until an operator does something
    │   ├── CredentialUnreadable   503  … their credentials were encrypted with another key
    │   ├── PoolLimited            429  … all are full or rate-limited
    │   └── PoolSpent              429  … all have used up their limits
    │       └── PoolUnpaid         429  … their providers require payment
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
        │   └── ResponseNotHttp    502  … at the head of the response
        └── UpstreamRedirected     502  a redirect: the account's base URL is wrong

Only `app.api.errors` turns these into HTTP responses; in a stream the same fields become
the error event.
"""

from __future__ import annotations

from app.errors.access import (
    ForgedRequest,
    InvalidApiKey,
    ModelNotAllowed,
    NotSignedIn,
    ReadOnlyToken,
    RoleNotAllowed,
    RotationNotAllowed,
    SecondFactorRequired,
    SignInRefused,
    TeamDisabled,
    TooManyAttempts,
)
from app.errors.base import GatewayError, internal_error
from app.errors.capacity import (
    AccountsStopped,
    CredentialUnreadable,
    NeverFits,
    NeverResets,
    NoAccounts,
    OutOfDescriptors,
    Overloaded,
    PoolLimited,
    PoolSpent,
    PoolUnpaid,
    QuotaExceeded,
    WorkerStopping,
)
from app.errors.requests import (
    BodyTimeout,
    ClientGone,
    ConnectionLimitReached,
    IdempotencyKeyReused,
    InvalidRequest,
    LaneUnusable,
    MethodNotAllowed,
    ModelNotFound,
    NotAnObject,
    NotFound,
    NotJson,
    NotReplayable,
    NotSupported,
    PayloadTooLarge,
    PreviousResponseNotFound,
    StillRunning,
    UpgradeRefused,
)
from app.errors.store import StoreError, StoreOutOfDescriptors, StoreRefused, StoreUnavailable
from app.errors.upstream import (
    BodyShape,
    EndpointMissing,
    ResponseNotHttp,
    ResponsesDiffer,
    StreamEventTooLarge,
    StreamIdleTimeout,
    StreamIncomplete,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamRedirected,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
    is_plain_code,
)

__all__ = [
    "AccountsStopped",
    "BodyShape",
    "BodyTimeout",
    "ClientGone",
    "ConnectionLimitReached",
    "CredentialUnreadable",
    "EndpointMissing",
    "ForgedRequest",
    "GatewayError",
    "IdempotencyKeyReused",
    "InvalidApiKey",
    "InvalidRequest",
    "LaneUnusable",
    "MethodNotAllowed",
    "ModelNotAllowed",
    "ModelNotFound",
    "NeverFits",
    "NeverResets",
    "NoAccounts",
    "NotAnObject",
    "NotFound",
    "NotJson",
    "NotReplayable",
    "NotSignedIn",
    "NotSupported",
    "OutOfDescriptors",
    "Overloaded",
    "PayloadTooLarge",
    "PoolLimited",
    "PoolSpent",
    "PoolUnpaid",
    "PreviousResponseNotFound",
    "QuotaExceeded",
    "ReadOnlyToken",
    "ResponseNotHttp",
    "ResponsesDiffer",
    "RoleNotAllowed",
    "RotationNotAllowed",
    "SecondFactorRequired",
    "SignInRefused",
    "StillRunning",
    "StoreError",
    "StoreOutOfDescriptors",
    "StoreRefused",
    "StoreUnavailable",
    "StreamEventTooLarge",
    "StreamIdleTimeout",
    "StreamIncomplete",
    "TeamDisabled",
    "TooManyAttempts",
    "UpgradeRefused",
    "UpstreamError",
    "UpstreamProtocolError",
    "UpstreamRedirected",
    "UpstreamRejected",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "WorkerStopping",
    "documented_codes",
    "error_for_status",
    "internal_error",
    "is_plain_code",
]


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


LEASE_EXPIRED = "lease_expired"  # in the ledger, of a request whose end was not reported; see requests.lua


def documented_codes() -> frozenset[str]:
    """Return the codes of the gateway's own errors, and of the ledger; the guide explains each."""
    kinds: list[type[GatewayError]] = [GatewayError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    own = {
        kind.code for kind in kinds if kind.__module__.startswith(f"{__name__}.") and kind is not ClientGone
    }
    return frozenset(code for code in (*own, LEASE_EXPIRED) if code)
