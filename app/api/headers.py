"""A request's headers, found where WSGI puts them: by one look into a dict, not by way of werkzeug."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

from flask import Request
from werkzeug.datastructures import EnvironHeaders

_OF_THEIR_OWN = ("CONTENT_TYPE", "CONTENT_LENGTH")


@lru_cache(256)  # names that we ask for: as many as stand in our code
def variable_of(name: str) -> str:
    """Return the WSGI variable of the header *name*. Source: PEP 3333."""
    variable = name.upper().replace("-", "_")
    return variable if variable in _OF_THEIR_OWN else f"HTTP_{variable}"


def name_of(variable: str) -> str:
    return variable.removeprefix("HTTP_").replace("_", "-").title()


class Headers(EnvironHeaders):
    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]
        if type is not None:
            return super().get(key, default, type)
        return self.environ.get(variable_of(key), default)


class GatewayRequest(Request):
    @cached_property
    def content_length(self) -> int | None:
        return super().content_length

    def __init__(self, environ: dict[str, Any], *args: Any, **options: Any) -> None:
        super().__init__(environ, *args, **options)
        self.headers = Headers(environ)
