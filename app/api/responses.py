"""POST /v1/responses."""

from __future__ import annotations

from flask import Blueprint, Response

from app.api.auth import authenticate
from app.api.body import check_size, read_json
from app.api.codex_headers import add_windows
from app.api.compact import compact
from app.api.context import services
from app.api.model_responses import respond
from app.api.request_context import make_context
from app.api.websockets import upgrade
from app.relay.context import ResponseOptions
from app.translation.requests.responses_input import normalize_input
from schemas.responses import RESPONSES_REQUEST

bp = Blueprint("responses", __name__)
bp.after_request(add_windows)


@bp.before_request
def admit_caller() -> None:
    check_size(services().settings.max_responses_body_bytes)
    authenticate(is_admitted=True)


@bp.post("/responses", strict_slashes=False)
def create() -> Response:
    payload, size = read_json(services().settings.max_responses_body_bytes)
    body = RESPONSES_REQUEST.load(payload)
    options = ResponseOptions(stream=body["stream"])
    lost: dict[str, None] = {}
    body = normalize_input(body, lost)
    return respond(make_context("responses", body, size, options, lost=lost))


bp.add_url_rule("/responses", view_func=upgrade, strict_slashes=False, websocket=True)
bp.add_url_rule("/responses/compact", view_func=compact, methods=["POST"], strict_slashes=False)
