"""The one place that turns failures into HTTP answers: always the envelope, never HTML."""

from __future__ import annotations

import math
from typing import Any

import structlog
from flask import Flask, Response, g, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from app.api import metrics
from app.api.context import noted
from app.api.json import json_response
from app.errors import GatewayError, InvalidRequest, error_for_status, internal_error
from schemas.faults import first_fault

log = structlog.get_logger()

DETAILED = "/api/v1/openai/"  # whose clients read `detail`, so that each failure there has it
RETRY_AFTER_MAX_SECONDS = 60  # some SDKs wait any length: a far reset goes into the body instead


def register(app: Flask) -> None:
    app.register_error_handler(GatewayError, error_response)
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(
        HTTPException, lambda error: error_response(error_for_status(error.code, error.description))
    )
    app.register_error_handler(Exception, _unhandled)


def invalid(error: ValidationError) -> InvalidRequest:
    """Return what a schema found, naming the field."""
    param, message = first_fault(error)
    return InvalidRequest(message, param=param)


def error_response(error: GatewayError, status: int | None = None, **beside: Any) -> Response:
    """Return *error* in its envelope, with what else the body of this endpoint says *beside* it."""
    metrics.refused(error)
    if (scope := noted().get("scope")) is not None:
        scope.refused(error, status or error.status)
    if request.path.startswith(DETAILED):
        beside = {"detail": error.message} | beside
    response = json_response(beside | error.envelope(), status or error.status)
    if not error.retryable:
        response.headers["x-should-retry"] = "false"
    elif error.retry_after_seconds is not None and error.retry_after_seconds <= RETRY_AFTER_MAX_SECONDS:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    return response


def _invalid(error: ValidationError) -> Response:
    note_model(error.data)
    return error_response(invalid(error))


def note_model(body: Any) -> None:
    """Remember, for the refusal log, which model an invalid *body* names."""
    model = body.get("model") if isinstance(body, dict) else None
    if isinstance(model, str) and (scope := noted().get("scope")) is not None:
        scope.model = model


def _unhandled(error: Exception) -> Response:
    log.exception("unhandled_error", request_id=g.get("request_id"), kind=type(error).__name__)
    return error_response(internal_error())
