"""The Flask application, without sessions and host matching: they cost time and are not used here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter

from app.api.headers import GatewayRequest

HOST = "gateway"  # nothing is routed by host, and no address is built
_NO_SESSION = NullSession()


class _NoSessions(SessionInterface):
    def open_session(self, app: Flask, request: Request) -> NullSession:
        return _NO_SESSION


class Gateway(Flask):
    """The gateway's application."""

    request_class = GatewayRequest
    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return *func*: none is a coroutine, and Flask would check that in every request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match paths alone: finding the host name costs as much as matching."""
        if request is None or "HTTP_UPGRADE" in request.environ:  # a WebSocket has routes of its own
            return super().create_url_adapter(request)
        return self.url_map.bind(HOST, path_info=request.path, default_method=request.method)
