"""The Flask application, without sessions and host matching: they cost time and are not used here."""

from __future__ import annotations

from collections.abc import Callable
from http.client import NO_CONTENT, OK
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from marshmallow import ValidationError
from werkzeug.datastructures import Headers
from werkzeug.routing import MapAdapter

from app.api.auth import renew_caller
from app.api.context import request_globals
from app.api.headers import GatewayRequest
from app.errors import GatewayError, StoreError
from app.relay.admission import CallerChanged

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

    def dispatch_request(self) -> Any:
        """
        Return what the view returns, with the key as it is.

        It may have begun with a record of the key that an earlier request read: if that has changed it begins
        again, unless admission has found it current.
        """
        try:
            return super().dispatch_request()
        except CallerChanged:
            request_globals().scope.chain = None  # it was never sent, and a refusal is recorded as such
            renew_caller()
        except StoreError:
            raise
        except (GatewayError, ValidationError):
            scope = request_globals().scope
            if (scope.chain is not None and scope.chain.is_caller_current) or not renew_caller():
                raise
            scope.chain = None
        return super().dispatch_request()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match paths alone: finding the host name costs as much as matching."""
        if request is None or "HTTP_UPGRADE" in request.environ:  # a WebSocket has routes of its own
            return super().create_url_adapter(request)
        return self.url_map.bind(HOST, path_info=request.path, default_method=request.method)
