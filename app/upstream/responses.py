"""Responses of upstreams, and the reading of errors and of small bodies."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

from urllib3 import BaseHTTPResponse

from app.errors import StreamIdleTimeout, UpstreamError, UpstreamProtocolError
from app.streaming.upstream_errors import rejection_from_body
from app.upstream.body import Body

ERROR_BODY_BYTES = 65536  # read of an error response: enough for any error body
MAX_JSON_BYTES = 4 * 1024 * 1024  # largest list of models or report of usage; long lists have 1 MiB
ERROR_BODY_SECONDS = 2.0  # time limit for the body of an error response
NO_CONTENT = (204, 205)  # statuses whose responses have no body


class UpstreamResponse:
    """An upstream's 2xx response: the headers have arrived, the body has not been read."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.body = Body(response)


def essence_of(headers: Mapping[str, str]) -> str:
    """Return the content type, `type/subtype` in lower case without parameters; "" where there is none."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def content_type_of(response: UpstreamResponse) -> str:
    """Return the content type of *response*. Raises UpstreamProtocolError where it has no content."""
    if response.status in NO_CONTENT:
        raise UpstreamProtocolError(
            f"The upstream answered with status {response.status}, which has no content"
        )
    return essence_of(response.headers)


def read_small_body(body: Body, until: float) -> bytes:
    """Return a body of at most MAX_JSON_BYTES, decompressed, by *until* (monotonic). Raises UpstreamError."""
    data = b""
    body.inflated_bytes = MAX_JSON_BYTES + 1
    try:
        while len(data) <= MAX_JSON_BYTES:
            piece = body.read(until - time.monotonic())
            if piece is None:
                raise StreamIdleTimeout("The upstream did not answer in time")
            if not piece:
                body.finish(0)
                return data
            data += piece
    except BaseException:
        body.close()
        raise
    body.close()
    raise UpstreamProtocolError(f"The upstream's response has more than {MAX_JSON_BYTES // 2**20} MiB")


def rejection_of(response: UpstreamResponse) -> UpstreamError:
    """Read an error response, up to ERROR_BODY_BYTES, and return its error."""
    data, until = b"", time.monotonic() + ERROR_BODY_SECONDS
    response.body.inflated_bytes = ERROR_BODY_BYTES
    with suppress(UpstreamError):  # the status alone is enough
        while len(data) < ERROR_BODY_BYTES and (more := response.body.read(until - time.monotonic())):
            data += more
    response.body.finish(0)
    rejection = rejection_from_body(response.status, data[:ERROR_BODY_BYTES], response.headers)
    rejection.headers = response.headers
    return rejection
