"""Error responses of the admin application: JSON under `/admin/api`, a page elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable

import orjson
import structlog
from flask import Flask, Response, g, make_response, render_template, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from app.admin.guard import API_ROOT, SIGN_IN
from app.admin.services import services
from app.admin.unhandled_forms import read_unhandled_form
from app.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    StoreUnavailable,
    error_for_status,
    internal_error,
)
from app.stores.errors import REDIS_ERRORS
from app.stores.failures import diagnose, public_address
from app.stores.secrets import UnreadableSecret
from schemas.validation_errors import first_error

UNTIL_THEN = "Nothing can be shown or saved until it works again"

log = structlog.get_logger()


def register(app: Flask) -> None:
    """Register JSON and page responses for every failure on *app*."""
    register_handlers(app, error_response)
    app.register_error_handler(UnreadableSecret, lambda error: error_response(GatewayError(str(error))))


def register_handlers(app: Flask, respond: Callable[[GatewayError], Response]) -> None:
    """Let *respond* answer every failure on *app*, converted to a GatewayError."""

    def unhandled(error: Exception) -> Response:
        log.exception("unhandled_error", path=request.path, kind=type(error).__name__)
        return respond(internal_error())

    app.register_error_handler(GatewayError, respond)
    app.register_error_handler(ValidationError, lambda error: respond(_invalid(error)))
    app.register_error_handler(HTTPException, lambda error: respond(_from_werkzeug(error)))
    app.register_error_handler(Exception, unhandled)


def error_response(error: GatewayError) -> Response:
    """Return *error* as JSON or as a page, depending on the path."""
    if isinstance(error, StoreUnavailable) and isinstance(error.__cause__, REDIS_ERRORS):
        error.message = _store_message(error)
    response = envelope(error) if request.path.startswith(f"{API_ROOT}/") else _page(error)
    response.status_code = error.status
    add_retry_after(response, error)
    return response


def _store_message(error: StoreUnavailable) -> str:
    """Return why the store failed, for operators: its address only for one who is signed in."""
    clause, address = diagnose(error).clause, services().settings.redis_url
    if "actor" not in g:
        return (
            f"The store (Redis) {clause.partition(':')[0]}. {UNTIL_THEN}; poolgate doctor reports its address"
        )
    return f"The store{f' at {public_address(address)}' if address else ''} {clause}. {UNTIL_THEN}"


def add_retry_after(response: Response, error: GatewayError) -> None:
    """Add a Retry-After header, if it is known when a retry may succeed."""
    if error.retryable and error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))


def envelope(error: GatewayError) -> Response:
    return Response(orjson.dumps(error.envelope()), error.status, mimetype="application/json")


def _page(error: GatewayError) -> Response:
    unhandled = read_unhandled_form(error)
    return make_response(render_template("error.html", error=error, unhandled=unhandled, sign_in_url=SIGN_IN))


def _invalid(error: ValidationError) -> InvalidRequest:
    param, message = first_error(error)
    return InvalidRequest(message, param=param)


def _from_werkzeug(error: HTTPException) -> GatewayError:
    if error.code is not None and error.code < 400:
        return NotFound("There is nothing at this address")  # werkzeug's redirects contain the Host header
    return error_for_status(error.code, error.description)
