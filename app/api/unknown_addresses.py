"""Errors for addresses that the gateway does not serve: they name the address that was probably meant."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import MapAdapter

from app import errors
from app.errors import GatewayError, error_for_status

ROOT = "/v1"
MAX_SHOWN_CHARS = 100  # of an address


def describe(error: HTTPException, app: Flask) -> GatewayError:
    """Return *error*, which Flask raised for the current request, with what to do about it."""
    if isinstance(error, NotFound):
        return errors.NotFound(_not_found(request.path, app))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        methods = " or ".join(sorted(set(error.valid_methods) - {"OPTIONS", "HEAD"})) or "OPTIONS"
        return errors.MethodNotAllowed(f"This address takes {methods}, not {request.method[:10]}")
    return error_for_status(error.code, error.description)


def _not_found(path: str, app: Flask) -> str:
    """Return the message for *path*, which has no `/v1`, has it twice, or is another address altogether."""
    nothing = "There is nothing at this address"
    bare = path.rstrip("/")
    for meant in (ROOT + bare, bare.removeprefix(ROOT)):
        if meant.startswith(f"{ROOT}/") and meant != bare and _is_served(meant, app):
            end = f"ends in {ROOT}" if meant != bare.removeprefix(ROOT) else f"has {ROOT} once"
            return f"{nothing}. Did you mean {meant[:MAX_SHOWN_CHARS]}? The base URL {end}"
    return f"{nothing}; the API is at {ROOT}, the guide at /docs"


def _is_served(path: str, app: Flask) -> bool:
    """Return whether the gateway serves *path* with any method."""
    adapter = MapAdapter(app.url_map, "gateway", "/", "", "http", path, "GET")
    return bool(adapter.allowed_methods(path))
