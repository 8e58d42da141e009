"""Turn errors into HTTP responses: always the JSON envelope, never HTML."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, g, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing.exceptions import WebsocketMismatch

from app.api import metrics, unknown_addresses
from app.api.context import request_globals
from app.api.headers import model_headers
from app.api.json import json_response
from app.errors import GatewayError, InvalidRequest, documented_codes, internal_error
from schemas.validation_errors import first_error

log = structlog.get_logger()

DETAILED = "/api/v1/openai/"  # prefix of paths whose clients read `detail`, so every error has it
EXPLAINED = documented_codes()


def register(app: Flask) -> None:
    """Handle every error of *app*."""
    app.register_error_handler(GatewayError, error_response)
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(
        WebsocketMismatch,
        lambda _: error_response(InvalidRequest("This address does not speak WebSocket; /v1/responses does")),
    )
    app.register_error_handler(
        HTTPException, lambda error: error_response(unknown_addresses.describe(error, app))
    )
    app.register_error_handler(Exception, _unhandled)


def invalid_request(error: ValidationError) -> InvalidRequest:
    """Return the first error of a schema as InvalidRequest, which names the field."""
    param, message = first_error(error)
    return InvalidRequest(message, param=param)


def error_response(error: GatewayError, status: int | None = None, **fields: Any) -> Response:
    """Return the response for *error*, with the *fields* that this endpoint adds to the body."""
    metrics.count_error(error)
    models: dict[str, str] = {}
    if (scope := request_globals().get("scope")) is not None:
        scope.note_refusal(error, status or error.status)
        if scope.chain is not None:
            models = model_headers(scope.chain.context.request)
    if request.path.startswith(DETAILED):
        fields = {"detail": error.message} | fields
    response = json_response(fields | error.envelope(), status or error.status)
    response.headers.update(models)
    if error.code in EXPLAINED:
        response.headers["Link"] = f'</docs/errors#{error.code}>; rel="help"'
    response.headers.update(error.retry_headers())
    return response


def _invalid(error: ValidationError) -> Response:
    note_model(error.data)
    return error_response(invalid_request(error))


def note_model(body: Any) -> None:
    """Note the model that an invalid *body* names, for the refusal log."""
    model = body.get("model") if isinstance(body, dict) else None
    if isinstance(model, str) and (scope := request_globals().get("scope")) is not None:
        scope.model = model


def _unhandled(error: Exception) -> Response:
    log.exception("unhandled_error", request_id=g.get("request_id"), kind=type(error).__name__)
    return error_response(internal_error())
