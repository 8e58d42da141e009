"""Send requests from a page to the gateway's application, on behalf of an API key."""

from __future__ import annotations

from typing import cast

from flask import Flask, Response, current_app, request

from app.server.dispatch import Application
from app.server.internal_requests import KeyReference, environ_of

EXTENSION = "gateway"


def register(app: Flask, gateway: Application) -> None:
    """Let the pages of *app* send requests to *gateway*."""
    app.extensions[EXTENSION] = gateway


def send_to_gateway(key: KeyReference, path: str, body: bytes) -> Response:
    """
    Return the response to *body*, JSON, which is streamed as it comes.

    The client of the current request counts as the one that waits: where it leaves, the request ends. The
    response must be returned or closed.
    """
    environ = environ_of(request.environ, key, path, body)
    return cast(Response, Response.from_app(current_app.extensions[EXTENSION], environ))
