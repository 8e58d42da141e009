"""Error pages of the holders' application."""

from __future__ import annotations

import math

import structlog
from flask import Flask, Response, make_response, render_template, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from app.errors import GatewayError, InvalidRequest, NotFound, error_for_status, internal_error
from schemas.validation_errors import first_error

log = structlog.get_logger()


def register(app: Flask) -> None:
    """Register a page for every failure on *app*."""
    app.register_error_handler(GatewayError, error_page)
    app.register_error_handler(ValidationError, lambda error: error_page(_invalid(error)))
    app.register_error_handler(HTTPException, lambda error: error_page(_from_werkzeug(error)))
    app.register_error_handler(Exception, _unhandled)


def error_page(error: GatewayError) -> Response:
    """Return the page that shows *error*."""
    response = make_response(render_template("holders/error.html", error=error), error.status)
    if error.retryable and error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    return response


def _invalid(error: ValidationError) -> InvalidRequest:
    param, message = first_error(error)
    return InvalidRequest(message, param=param)


def _from_werkzeug(error: HTTPException) -> GatewayError:
    if error.code is not None and error.code < 400:
        return NotFound("There is nothing at this address")  # werkzeug's redirects contain the Host header
    return error_for_status(error.code, error.description)


def _unhandled(error: Exception) -> Response:
    log.exception("unhandled_error", path=request.path, kind=type(error).__name__)
    return error_page(internal_error())
