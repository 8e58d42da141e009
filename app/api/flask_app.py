"""The Flask application, without sessions and host matching: they cost time and are not used here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http.client import NO_CONTENT, OK
from typing import Any, cast

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

HOST = "gateway"  # a placeholder: nothing is routed by host, and no address is built
_NO_SESSION = NullSession()
_ADDRESSES = ("location", "content-location")  # headers that Werkzeug completes and encodes


class _NoSessions(SessionInterface):
    def open_session(self, app: Flask, request: Request) -> NullSession:
        return _NO_SESSION


class GatewayResponse(Response):
    """A response that does not copy its headers in the usual case."""

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        """Return the headers, with the content length if the body is known."""
        names = {name.lower() for name, _ in self.headers}
        if not OK <= self.status_code < NO_CONTENT or not names.isdisjoint(_ADDRESSES):
            return super().get_wsgi_headers(environ)
        if self.is_sequence and "content-length" not in names:
            self.headers.add("Content-Length", str(sum(map(len, self.iter_encoded()))))
        return self.headers

    def iter_encoded(self) -> Iterator[bytes]:
        """Return the pieces of the body; those of a stream are bytes already, and need no generator."""
        return super().iter_encoded() if self.is_sequence else iter(cast(Iterable[bytes], self.response))


class GatewayApplication(Flask):
    """The gateway's application."""

    request_class = GatewayRequest
    response_class = GatewayResponse
    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return *func*. No view is a coroutine, which Flask would check in every request."""
        return func

    def dispatch_request(self) -> Any:
        """
        Return what the view returns, run with the current record of the API key.

        The view may begin with a record that an earlier request read. If the record has changed since, the
        view runs again, unless admission has found the record to be current.
        """
        try:
            return super().dispatch_request()
        except CallerChanged:
            # Nothing was sent; a refusal must not be recorded as a request that was
            request_globals().scope.chain = None
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
        """Return an adapter that matches paths only: finding the host name costs as much as matching."""
        if request is None or "HTTP_UPGRADE" in request.environ:  # WebSockets have separate routes
            return super().create_url_adapter(request)
        # not `Map.bind`, which encodes the host name for each request
        return MapAdapter(self.url_map, HOST, "/", "", "http", request.path, request.method)
