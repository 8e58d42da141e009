"""What a client of the admin application is waited for, and how much it may send before it is known."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Blueprint, Flask, Response, after_this_request, request

STRANGERS_BYTES = 64 * 1024  # a form with a password in it


def register(app: Flask, seconds: float) -> None:
    """Let go, after *seconds* of silence, a client that does not send its body or take its answer."""

    def limit() -> None:
        connection = request.environ.get("gunicorn.socket")
        if connection is not None:
            connection.settimeout(seconds)
            after_this_request(lambda response: _restore(response, connection))

    app.before_request(limit)


def limit_strangers(blueprint: Blueprint) -> None:
    """Let nobody send more than a form to the views of *blueprint*, which everybody may call."""

    def limit() -> None:
        request.max_content_length = STRANGERS_BYTES

    blueprint.before_request(limit)


def _restore(response: Response, connection: Any) -> Response:
    """Give the connection back to whoever waits for its next request."""

    def restore() -> None:
        with suppress(OSError):  # closed already
            connection.settimeout(None)

    response.call_on_close(restore)
    return response
