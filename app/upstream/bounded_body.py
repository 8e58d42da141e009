"""Read small responses of sign-in services, bounded in size and time."""

from __future__ import annotations

import time

import requests

from app.errors import StreamIdleTimeout, UpstreamProtocolError

RESPONSE_SECONDS = 8.0
MAX_RESPONSE_BYTES = 256 * 1024  # decompressed: three tokens of 16,384 characters, five times over
PIECE_BYTES = 16 * 1024  # read, and decompressed, at once


def read_bounded(response: requests.Response) -> bytes:
    """
    Return the body, decompressed, of at most MAX_RESPONSE_BYTES; nothing of a longer error.

    Raises UpstreamProtocolError, and what requests raises of a body that breaks off.
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
