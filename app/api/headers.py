"""Request headers, read from the WSGI environment by one look-up."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import quote

from flask import Request
from werkzeug.datastructures import EnvironHeaders

from app.relay.context import ModelRequest

IDEMPOTENCY_KEY = "Idempotency-Key"
_WITHOUT_PREFIX = ("CONTENT_TYPE", "CONTENT_LENGTH")


@lru_cache(256)  # more than the header names in the code
def variable_of(name: str) -> str:
    """Return the WSGI variable of the header *name*. Source: PEP 3333."""
    variable = name.upper().replace("-", "_")
    return variable if variable in _WITHOUT_PREFIX else f"HTTP_{variable}"


def name_of(variable: str) -> str:
    """Return the header name of a WSGI variable."""
    return variable.removeprefix("HTTP_").replace("_", "-").title()


def header_value(text: str) -> str:
    """Return *text* for a header: percent-encoded UTF-8 where it is not printable ASCII."""
    if text.isascii() and text.isprintable():
        return text
    return quote(text, safe="@+,; =", errors="replace")


def model_headers(request: ModelRequest) -> dict[str, str]:
    """Return the headers with the requested and the used model if a route chose one, also for errors."""
    if not request.response_model:
        return {}
    return {
        "x-poolgate-requested-model": header_value(request.response_model),
        "x-poolgate-model": header_value(request.model),
    }


class Headers(EnvironHeaders):
    """Headers with a faster `get`."""

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]
        if type is not None:
            return super().get(key, default, type)
        return self.environ.get(variable_of(key), default)


class GatewayRequest(Request):
    """A request that parses its Content-Length once."""

    @cached_property
    def content_length(self) -> int | None:
        return super().content_length

    def __init__(self, environ: dict[str, Any], *args: Any, **options: Any) -> None:
        super().__init__(environ, *args, **options)
        self.headers = Headers(environ)
