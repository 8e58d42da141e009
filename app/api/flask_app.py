"""The Flask application, without what Flask does for sites of several names and for visitors who return."""

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
    request_class = GatewayRequest
    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return *func* as it is: none is a coroutine, and Flask would find that out in every request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match paths alone: to find out by which name we were called costs as much as matching."""
        if request is None or "HTTP_UPGRADE" in request.environ:  # a WebSocket has routes of its own
            return super().create_url_adapter(request)
        return self.url_map.bind(HOST, path_info=request.path, default_method=request.method)
