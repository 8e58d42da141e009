"""POST /v1/chat/completions."""

from __future__ import annotations

from flask import Blueprint, Response

from app.api.auth import authenticate
from app.api.body import check_size, read_json
from app.api.codex_headers import add_windows
from app.api.context import services
from app.api.model_responses import respond
from app.api.request_context import is_usage_included, make_context
from app.relay.context import ResponseOptions
from schemas.chat import CHAT_REQUEST

bp = Blueprint("chat", __name__)
bp.after_request(add_windows)


@bp.before_request
def admit_caller() -> None:
    check_size(services().settings.max_body_bytes)
    authenticate(is_admitted=True)


@bp.post("/chat/completions", strict_slashes=False)
def create() -> Response:
    payload, size = read_json(services().settings.max_body_bytes)
    body = CHAT_REQUEST.load(payload)
    options = ResponseOptions(stream=body["stream"], include_usage=is_usage_included(body))
    return respond(make_context("chat", body, size, options))
