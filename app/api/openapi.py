"""GET /openapi.json and /docs/api: the API's description, made of the schemas that validate requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app
from marshmallow import Schema
from werkzeug.routing import Rule

from app.api import guide, idempotency
from app.api.json import json_response
from app.config import package_version
from app.relay.content_types import EVENTS
from schemas import response_schemas
from schemas.bifrost_chat import BIFROST_CHAT_REQUEST
from schemas.chat import CHAT_REQUEST, LEGACY_CHAT_REQUEST
from schemas.codex import CODEX_REQUEST
from schemas.compact import COMPACT_REQUEST
from schemas.openapi import (
    Json,
    Route,
    body_of,
    document,
    first_line,
    in_path,
    json_of,
)
from schemas.passthrough import FORM_REQUESTS, JSON_REQUESTS
from schemas.responses import RESPONSES_REQUEST

T = TypeVar("T")

bp = Blueprint("openapi", __name__)
bp.after_request(guide.add_headers)

OPEN = ("health", "metrics", "openapi")  # blueprints without authentication
ALIAS = "codex_v1_"
BODIES: dict[str, Schema] = {
    "basic_chat.create": LEGACY_CHAT_REQUEST,
    "chat.create": CHAT_REQUEST,
    "codex.compact": COMPACT_REQUEST,
    "codex.images_edits": FORM_REQUESTS["images/edits"],
    "codex.images_generations": JSON_REQUESTS["images/generations"],
    "codex.create": CODEX_REQUEST,
    "extended_chat.create": BIFROST_CHAT_REQUEST,
    "responses.compact": COMPACT_REQUEST,
    "responses.create": RESPONSES_REQUEST,
    **{f"plain.{path.replace('/', '_')}": schema for path, schema in JSON_REQUESTS.items()},
    **{f"plain.{path.replace('/', '_')}": schema for path, schema in FORM_REQUESTS.items()},
}
FORMS = ("codex.images_edits", *(f"plain.{path.replace('/', '_')}" for path in FORM_REQUESTS))
RESPONSES = {
    "basic_chat.create": response_schemas.CHAT,
    "chat.create": response_schemas.CHAT,
    "codex.catalogue": response_schemas.CATALOGUE,
    "codex.compact": response_schemas.COMPACTION,
    "codex_usage.show": response_schemas.CODEX_USAGE,
    "extended_chat.create": response_schemas.BIFROST_CHAT,
    "health.live": response_schemas.HEALTH,
    "health.ready": response_schemas.HEALTH,
    "models.index": {"anyOf": [response_schemas.MODELS, response_schemas.CATALOGUE]},
    "models.show": response_schemas.MODEL,
    "responses.compact": response_schemas.COMPACTION,
    "responses.create": response_schemas.RESPONSE,
    "usage.show": response_schemas.KEY_USAGE,
}
BINARY = ("plain.audio_speech", "plain.audio_transcriptions")  # also return audio, subtitles or text
KINDS = {  # of responses that are not JSON
    "codex.create": EVENTS,
    "metrics.metrics": "text/plain",
    "openapi.page": "text/html",
}
IDEMPOTENCY_KEY = {
    "name": idempotency.HEADER,
    "in": "header",
    "description": "A repeat with the same key and body receives the response to the first request, and is"
    " not billed. It may be sent while the first runs, and for ten minutes after.",
    "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_CHARS},
}
SUMMARIES = {
    "basic_chat.create": "Create a chat completion, with the key as HTTP Basic",
    "chat.create": "Create a chat completion",
    "codex.catalogue": "List models in the format of the Codex CLI",
    "codex.compact": "Compact a conversation",
    "codex.images_edits": "Edit an image",
    "codex.images_generations": "Generate an image",
    "codex.create": "Create a response for the Codex CLI, always as a stream",
    "codex_usage.show": "Show how much of the pool's upstream usage windows is used",
    "extended_chat.create": "Create a chat completion, with provider/model names",
    "health.live": "Check that this process answers",
    "health.ready": "Check that requests can be served",
    "metrics.metrics": "Show totals over all web processes, for Prometheus",
    "models.index": "List the models that this key may use",
    "models.show": "Show a model",
    "openapi.document": "Get this document",
    "openapi.page": "Browse this document",
    "plain.audio_speech": "Create speech",
    "plain.audio_transcriptions": "Transcribe audio",
    "plain.completions": "Create a completion",
    "plain.embeddings": "Create embeddings",
    "plain.images_edits": "Edit an image",
    "plain.images_generations": "Generate an image",
    "plain.moderations": "Classify whether text is harmful",
    "responses.compact": "Compact a conversation",
    "responses.create": "Create a response",
    "usage.show": "Show the usage and the limits of this key",
}


@bp.get("/openapi.json", endpoint="document")
def show() -> Response:
    return json_response(_once("openapi.document", build_document))


@bp.get("/docs/api", strict_slashes=False)
def page() -> str:
    return _once("openapi.page", lambda: guide.render("guide/api.html", document=build_document()))


def _once(name: str, make: Callable[[], T]) -> T:
    """Return the result of *make*, created once per application: these pages need no API key."""
    cached: dict[str, Any] = current_app.extensions
    if name not in cached:
        cached[name] = make()
    result: T = cached[name]
    return result


def build_document() -> Json:
    """Return the OpenAPI document of the application at hand. Source: https://spec.openapis.org/oas/v3.1.0"""
    security = {"key": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}}
    described = (Route(rule.rule, rule.methods or (), _operation(rule)) for rule in routes())
    return document("Poolgate", package_version(), security, described)


def routes() -> Iterator[Rule]:
    """Yield the routes to describe: no WebSocket handshakes, no pages, no unsupported endpoints."""
    rules = (
        rule
        for rule in current_app.url_map.iter_rules()
        if not rule.websocket and not rule.endpoint.startswith(("not_served.", "guide."))
    )
    return iter(sorted(rules, key=lambda rule: rule.rule))


def _operation(rule: Rule) -> Json:
    endpoint = rule.endpoint.removeprefix(ALIAS)
    blueprint = endpoint.partition(".")[0]
    error = response_schemas.ERROR_WITH_DETAIL if blueprint == "basic_chat" else "Error"
    operation: Json = {
        "summary": SUMMARIES.get(endpoint) or first_line(current_app.view_functions[rule.endpoint].__doc__),
        "operationId": f"{rule.endpoint}_{rule.rule.strip('/').replace('/', '_')}",
        "responses": {"200": _response(endpoint), "default": json_of(error)},
    }
    if blueprint not in OPEN:
        operation["security"] = [{"basic": []} if blueprint == "basic_chat" else {"key": []}]
    if endpoint in BODIES:
        kind = "multipart/form-data" if endpoint in FORMS else "application/json"
        operation["requestBody"] = body_of(BODIES[endpoint], kind)
        operation["parameters"] = [IDEMPOTENCY_KEY]
    if rule.arguments:
        operation["parameters"] = in_path(rule.arguments)
    return operation


def _response(endpoint: str) -> Json:
    if endpoint in KINDS:
        schema = response_schemas.EVENT if KINDS[endpoint] == EVENTS else response_schemas.TEXT
        return {"description": "", "content": {KINDS[endpoint]: {"schema": schema}}}
    response = json_of(RESPONSES.get(endpoint, response_schemas.PASSTHROUGH))
    if endpoint in BINARY:
        response["content"]["*/*"] = {"schema": {}}
    if endpoint in BODIES:
        response["content"][EVENTS] = {"schema": response_schemas.EVENT}
    return response
