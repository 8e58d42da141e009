"""Socket timeouts of admin clients, and the body limit of unauthenticated ones."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Blueprint, Flask, Response, after_this_request, request

ANONYMOUS_BYTES = 64 * 1024  # enough for a sign-in form


def register(app: Flask, seconds: float) -> None:
    """Drop clients that neither send their body nor read their response for *seconds*."""

    def limit() -> None:
        connection = request.environ.get("gunicorn.socket")
        if connection is not None:
            connection.settimeout(seconds)
            after_this_request(lambda response: _restore(response, connection))

    app.before_request(limit)


def limit_anonymous_bodies(blueprint: Blueprint) -> None:
    """Limit request bodies of *blueprint*, whose views need no authentication."""

    def limit() -> None:
        request.max_content_length = ANONYMOUS_BYTES

    blueprint.before_request(limit)


def _restore(response: Response, connection: Any) -> Response:
    """Remove the timeout after the response, while the connection waits for its next request."""

    def restore() -> None:
        with suppress(OSError):  # closed already
            connection.settimeout(None)

    response.call_on_close(restore)
    return response
