"""
CORS: which web pages may read the responses of the model endpoints.

API keys are in headers that a page sets itself, and these endpoints read no cookies. So every page may read
responses, unless POOLGATE_CORS_ORIGINS lists the allowed ones. Credentials that a browser adds are never
used. Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from flask import Flask, Response

from app.api.context import current_request
from app.config import ANY_ORIGIN
from app.stores.records.limits import LimitUnit

PATHS = ("/v1/", "/openai/", "/api/v1/openai/")
METHODS = "GET, POST"
MAX_AGE_SECONDS = 7200  # the longest that Chromium accepts
_LIMITED = sorted({unit.traits.header_kind for unit in LimitUnit if unit.traits.header_kind})
EXPOSED = ", ".join(
    (
        *("x-request-id", "x-poolgate-request-id", "x-poolgate-account", "x-poolgate-ignored"),
        *("x-poolgate-model", "x-poolgate-requested-model"),
        *(f"x-ratelimit-{figure}-{kind}" for kind in _LIMITED for figure in ("limit", "remaining", "reset")),
        *("idempotent-replayed", "retry-after", "x-should-retry"),
    )
)


class Cors:
    """Answers preflights, and adds the headers for pages of *origins* to responses."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._allows_any = ANY_ORIGIN in origins
        self._origins = frozenset(origins)

    def answer_preflight(self) -> Response | None:
        """Return the response to a preflight request, which has no API key; None for other requests."""
        request = current_request()
        if request.method != "OPTIONS":
            return None
        headers = request.headers
        if "Access-Control-Request-Method" not in headers or not self._allowed():
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Max-Age"] = str(MAX_AGE_SECONDS)
        if requested := headers.get("Access-Control-Request-Headers"):
            response.headers["Access-Control-Allow-Headers"] = requested
            response.headers["Vary"] = "Access-Control-Request-Headers"
        return response

    def add_headers(self, response: Response) -> Response:
        """Let the page that sent the request read *response*, if it may."""
        if "HTTP_ORIGIN" in current_request().environ:
            if allowed := self._allowed():
                response.headers["Access-Control-Allow-Origin"] = allowed
                response.headers["Access-Control-Expose-Headers"] = EXPOSED
            if not self._allows_any:
                response.headers.add("Vary", "Origin")
        return response

    def _allowed(self) -> str:
        """Return the origin to allow: `*`, that of the request, or '' for none."""
        request = current_request()
        origin = request.headers.get("Origin")
        if not origin or not request.path.startswith(PATHS):
            return ""
        if self._allows_any:
            return ANY_ORIGIN
        return origin if origin in self._origins else ""


def register(app: Flask, origins: tuple[str, ...]) -> None:
    """Allow pages of *origins*; without any, register nothing in *app*."""
    if origins:
        cors = Cors(origins)
        app.before_request(cors.answer_preflight)
        app.after_request(cors.add_headers)
