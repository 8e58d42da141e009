"""The Flask application, without sessions and host matching: they cost time and are not used here."""

from __future__ import annotations

from collections.abc import Callable
from http.client import NO_CONTENT, OK
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.datastructures import Headers
from werkzeug.routing import MapAdapter

from app.api.headers import GatewayRequest

HOST = "gateway"  # nothing is routed by host, and no address is built
_NO_SESSION = NullSession()
_ADDRESSES = ("location", "content-location")  # which Werkzeug completes and encodes


class _NoSessions(SessionInterface):
    def open_session(self, app: Flask, request: Request) -> NullSession:
        return _NO_SESSION


class GatewayResponse(Response):
    """A response that does not copy the headers of a usual one."""

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        """Return the headers, completed by the length where the body is known."""
        names = {name.lower() for name, _ in self.headers}
        if not OK <= self.status_code < NO_CONTENT or not names.isdisjoint(_ADDRESSES):
            return super().get_wsgi_headers(environ)
        if self.is_sequence and "content-length" not in names:
            self.headers.add("Content-Length", str(sum(map(len, self.iter_encoded()))))
        return self.headers


class Gateway(Flask):
    """The gateway's application."""

    request_class = GatewayRequest
    response_class = GatewayResponse
    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return *func*: none is a coroutine, and Flask would check that in every request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match paths alone: finding the host name costs as much as matching."""
        if request is None or "HTTP_UPGRADE" in request.environ:  # a WebSocket has routes of its own
            return super().create_url_adapter(request)
        return self.url_map.bind(HOST, path_info=request.path, default_method=request.method)
