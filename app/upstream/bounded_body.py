"""Read small responses of sign-in services, bounded in size and time."""

from __future__ import annotations

import time

import requests

from app.errors import StreamIdleTimeout, UpstreamProtocolError

RESPONSE_SECONDS = 8.0
MAX_RESPONSE_BYTES = 256 * 1024  # decompressed; five times three tokens of 16,384 characters
PIECE_BYTES = 16 * 1024  # compressed bytes per read


def read_bounded(response: requests.Response) -> bytes:
    """
    Return the decompressed body, of at most MAX_RESPONSE_BYTES; b"" for an error response that is longer.

    Raises UpstreamProtocolError for a longer body, StreamIdleTimeout after RESPONSE_SECONDS, and the
    exceptions of requests for a body that breaks off.
    """
    body, until = b"", time.monotonic() + RESPONSE_SECONDS
    for piece in response.iter_content(PIECE_BYTES):
        body += piece
        if len(body) > MAX_RESPONSE_BYTES:
            if response.status_code >= 300:
                return b""
            raise UpstreamProtocolError("The sign-in service's response is too long")
        if time.monotonic() > until:
            raise StreamIdleTimeout("The sign-in service did not answer in time")
    return body
