"""Error responses of the admin application: JSON under `/admin/api`, a page elsewhere."""

from __future__ import annotations

import math

import orjson
import structlog
from flask import Flask, Response, make_response, render_template, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from app.admin.guard import API_ROOT
from app.errors import GatewayError, InvalidRequest, NotFound, error_for_status, internal_error
from app.stores.secrets import UnreadableSecret
from schemas.validation_errors import first_error

log = structlog.get_logger()


def register(app: Flask) -> None:
    """Register JSON and page responses for every failure on *app*."""
    app.register_error_handler(GatewayError, error_response)
    app.register_error_handler(ValidationError, lambda error: error_response(_invalid(error)))
    app.register_error_handler(HTTPException, lambda error: error_response(_from_werkzeug(error)))
    app.register_error_handler(UnreadableSecret, lambda error: error_response(GatewayError(str(error))))
    app.register_error_handler(Exception, _unhandled)


def error_response(error: GatewayError) -> Response:
    """Return *error* as JSON or as a page, depending on the path."""
    response = envelope(error) if request.path.startswith(f"{API_ROOT}/") else _page(error)
    response.status_code = error.status
    if error.retryable and error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    return response


def envelope(error: GatewayError) -> Response:
    return Response(orjson.dumps(error.envelope()), error.status, mimetype="application/json")


def _page(error: GatewayError) -> Response:
    return make_response(render_template("error.html", error=error))


def _invalid(error: ValidationError) -> InvalidRequest:
    param, message = first_error(error)
    return InvalidRequest(message, param=param)


def _from_werkzeug(error: HTTPException) -> GatewayError:
    if error.code is not None and error.code < 400:
        return NotFound("There is nothing at this address")  # werkzeug's redirects contain the Host header
    return error_for_status(error.code, error.description)


def _unhandled(error: Exception) -> Response:
    log.exception("unhandled_error", path=request.path, kind=type(error).__name__)
    return error_response(internal_error())
