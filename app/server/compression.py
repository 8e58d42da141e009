"""Responses that are sent compressed, to clients that accept it."""

from __future__ import annotations

import gzip

from flask import Response, request

LEVEL = 6  # 5 ms for the largest page


def compress(response: Response) -> Response:
    """
    Return *response*, a complete one, compressed with gzip if the client accepts that.

    Not for pages with a secret, such as a CSRF token, next to text from the URL: anyone who can see how long
    compressed pages are could guess the secret (BREACH).
    """
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] > 0:
        response.direct_passthrough = False
        response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
        response.content_encoding = "gzip"
        etag, _ = response.get_etag()
        if etag is not None:
            response.set_etag(etag, weak=True)  # weak: the bytes differ from the uncompressed ones
    return response
