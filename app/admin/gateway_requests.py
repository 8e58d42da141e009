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
    Send *body*, JSON, and return the response, which is streamed as it arrives.

    If the client of the current request disconnects, the request to the gateway ends as well. The caller
    returns the response or closes it.
    """
    environ = environ_of(request.environ, key, path, body)
    return cast(Response, Response.from_app(current_app.extensions[EXTENSION], environ))
