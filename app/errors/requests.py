"""Errors of requests: malformed, for unknown addresses or methods, or left by their client."""

from __future__ import annotations

from typing import Any

from app.errors.base import GatewayError


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


class NotSupported(GatewayError):
    """The endpoint or feature is not implemented."""

    status, type, code = 501, "server_error", "not_implemented"
    retryable = False


class ClientGone(GatewayError):
    """The client disconnected; the status is for the log and the ledger only."""

    status, code = 499, "client_gone"
    retryable = False
