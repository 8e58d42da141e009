"""/backend-api/codex: the ChatGPT backend's paths, for a Codex CLI with this gateway as its backend."""

from __future__ import annotations

from flask import Blueprint, Response

from app.api import passthrough, responses
from app.api.body import read_json
from app.api.codex_headers import add_windows
from app.api.compact import compact
from app.api.context import services
from app.api.model_responses import respond
from app.api.models import catalogue
from app.api.request_context import make_context
from app.api.websockets import upgrade
from app.relay.context import ResponseOptions
from app.translation.requests.responses_input import normalize_input
from schemas.codex import CODEX_REQUEST

bp = Blueprint("codex", __name__)
bp.after_request(add_windows)
bp.before_request(responses.admit_caller)


@bp.post("/responses", strict_slashes=False)
def create() -> Response:
    """Serve Codex, which always receives a stream with usage limits, whatever `stream` is."""
    payload, size = read_json(services().settings.max_responses_body_bytes)
    lost: dict[str, None] = {}
    body = normalize_input(CODEX_REQUEST.load(payload), lost) | {"stream": True}
    options = ResponseOptions(keep_codex_events=True)
    return respond(make_context("responses", body, size, options, lost=lost))


passthrough.add_rules(bp, passthrough.create, ["images/generations"])
passthrough.add_rules(bp, passthrough.upload, ["images/edits"])
bp.add_url_rule("/responses/compact", view_func=compact, methods=["POST"], strict_slashes=False)
bp.add_url_rule("/responses", view_func=upgrade, strict_slashes=False, websocket=True)
bp.add_url_rule("/models", view_func=catalogue, strict_slashes=False)
