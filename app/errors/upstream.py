"""Errors of upstreams, with what they reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from app.errors.base import GatewayError

_PLAIN_CODE = re.compile(r"[\w.:-]{1,64}", re.ASCII)


class BodyShape(StrEnum):
    """The format of an upstream's error body, which indicates who wrote it."""

    ENVELOPE = "error object"  # from the API server: it has a message, a type or a code
    JSON = "other JSON"
    TEXT = "text"
    HTML = "HTML"  # from a proxy in front of that server
    EMPTY = "empty"


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


class ResponseNotHttp(UpstreamProtocolError):
    """What the upstream sent has no head of HTTP, or one beyond the limits."""


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
