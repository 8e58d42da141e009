"""
POST /api/v1/openai/chat/completions: the key is sent by HTTP Basic, errors are returned as `detail`.

Error bodies also have the `error` object of the other endpoints, because SDKs read only that.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g
from marshmallow import ValidationError

from app.api.auth import authenticate_basic
from app.api.body import check_size, read_json
from app.api.context import services
from app.api.errors import error_response, note_model
from app.api.model_responses import respond
from app.api.request_context import is_usage_included, make_context
from app.errors import InvalidApiKey, InvalidRequest, NotAnObject, NotJson
from app.relay.context import ResponseOptions
from schemas.chat import LEGACY_CHAT_REQUEST
from schemas.openai_sdk_chat import OPENAI_SDK_CHAT_REQUEST
from schemas.pydantic_errors import PydanticMessage, detail, details

bp = Blueprint("basic_chat", __name__)

UNPROCESSABLE = 422


@bp.before_request
def admit_caller() -> None:
    check_size(services().settings.max_body_bytes)
    authenticate_basic(is_admitted=True)


@bp.post("/chat/completions", strict_slashes=False)
def create() -> Response:
    g.payload, size = read_json(services().settings.max_body_bytes)
    body = LEGACY_CHAT_REQUEST.load(OPENAI_SDK_CHAT_REQUEST.load(g.payload))
    options = ResponseOptions(stream=body["stream"], include_usage=is_usage_included(body))
    return respond(make_context("chat", body, size, options))


@bp.errorhandler(ValidationError)
def invalid(error: ValidationError) -> Response:
    note_model(g.payload)
    return _unprocessable(details(error, g.payload))


@bp.errorhandler(NotJson)
def not_json(error: NotJson) -> Response:
    return _unprocessable(
        [detail(PydanticMessage("json_invalid", error=error.reason), (error.position,), {})]
    )


@bp.errorhandler(NotAnObject)
def not_an_object(error: NotAnObject) -> Response:
    return _unprocessable([detail(PydanticMessage("dict_type"), (), error.value)])


@bp.errorhandler(InvalidApiKey)
def unknown_caller(error: InvalidApiKey) -> Response:
    response = error_response(error)
    response.headers["WWW-Authenticate"] = 'Basic realm="poolgate", charset="UTF-8"'
    return response


def _unprocessable(errors: list[dict[str, Any]]) -> Response:
    """Return a 422 with all *errors* as `detail`, and the first one as `error`."""
    _, *path = errors[0]["loc"]
    field = path[0] if path and isinstance(path[0], str) else None
    name = ".".join(map(str, path)) if field else "body"
    first = InvalidRequest(f"{name}: {errors[0]['msg']}", param=field)
    return error_response(first, UNPROCESSABLE, detail=errors)
