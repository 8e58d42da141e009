"""GET /openapi.json and /docs/api: the API's description, made of the schemas that validate requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, request
from markupsafe import escape
from marshmallow import Schema
from werkzeug.routing import Rule

from app.api import guide, idempotency, operation_examples
from app.api.json import json_response
from app.api.operation_texts import ALIASES, DESCRIPTIONS, GROUPS, ORDER, SUMMARIES, TAGS
from app.config import package_version
from app.docs import reference
from app.docs.code_samples import ORIGIN
from app.docs.reference import ALIAS_OF
from app.relay.content_types import EVENTS
from schemas import response_schemas
from schemas.bifrost_chat import BIFROST_CHAT_REQUEST
from schemas.chat import CHAT_REQUEST, LEGACY_CHAT_REQUEST
from schemas.codex import CODEX_REQUEST
from schemas.compact import COMPACT_REQUEST
from schemas.openapi import (
    Json,
    Route,
    address,
    body_of,
    document,
    in_path,
    json_of,
    tags,
)
from schemas.passthrough import FORM_REQUESTS, JSON_REQUESTS
from schemas.reference import chat, other_requests, responses
from schemas.responses import RESPONSES_REQUEST

T = TypeVar("T")

bp = Blueprint("openapi", __name__)
bp.after_request(guide.add_headers)

OPEN = ("health", "metrics", "openapi")  # blueprints without authentication
ALIAS, ALIAS_PREFIX = "codex_v1_", "/backend-api/codex/v1"
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
NEVER_JSON = ("plain.audio_speech",)
KINDS = {  # content types of responses that are not JSON
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
FIELDS: dict[str, dict[str, Json]] = {  # what the reference adds to the fields of BODIES
    "chat.create": chat.FIELDS,
    "basic_chat.create": chat.FIELDS,
    "extended_chat.create": chat.FIELDS | chat.EXTENDED_FIELDS,
    "responses.create": responses.FIELDS,
    "codex.create": responses.FIELDS,
    "responses.compact": responses.COMPACT_FIELDS,
    "codex.compact": responses.COMPACT_FIELDS,
    "codex.images_edits": other_requests.FIELDS["images/edits"],
    "codex.images_generations": other_requests.FIELDS["images/generations"],
    **{f"plain.{path.replace('/', '_')}": fields for path, fields in other_requests.FIELDS.items()},
}
ABOUT = (
    "One OpenAI-compatible endpoint in front of a pool of upstream accounts. Requests carry an API key as"
    " `Authorization: Bearer sk-pg-…`, or as `x-api-key`. Every failure is an error object; the"
    " header `Link` leads to its `code` in the guide."
)
SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key: sk-pg-…"},
    "basic": {"type": "http", "scheme": "basic", "description": "An API key as password or user name."},
}


@bp.get("/openapi.json", endpoint="document")
def show() -> Response:
    return json_response(_once("openapi.document", build_document))


@bp.get("/docs/api", strict_slashes=False)
def page() -> str:
    """Show the reference, with the address by which the browser reached it in its examples."""
    origin = str(escape(request.host_url.rstrip("/")))
    return _once("openapi.page", _render).replace(ORIGIN, origin)


def _render() -> str:
    described = build_document()
    return guide.render(
        "guide/api.html",
        about=ABOUT,
        reference=reference.groups(described),
        security=SECURITY,
        credential="An API key",
    )


def _once(name: str, make: Callable[[], T]) -> T:
    """Return the result of *make*, which is created once per application: these pages need no API key."""
    cached: dict[str, Any] = current_app.extensions
    if name not in cached:
        cached[name] = make()
    result: T = cached[name]
    return result


def build_document() -> Json:
    """Return the OpenAPI document of the current application. Source: https://spec.openapis.org/oas/v3.1.0"""
    described = (Route(rule.rule, rule.methods or (), _operation(rule)) for rule in routes())
    built = document("Poolgate", package_version(), ABOUT, SECURITY, described)
    return {**built, "tags": tags((group.name, group.description) for group in GROUPS)}


def routes() -> Iterator[Rule]:
    """
    Yield the routes to describe, in the order of the reference.

    Without WebSocket handshakes, pages, and endpoints that are not supported.
    """
    rules = (
        rule
        for rule in current_app.url_map.iter_rules()
        if not rule.websocket and not rule.endpoint.startswith(("not_served.", "guide."))
    )
    return iter(sorted(rules, key=_place))


def _place(rule: Rule) -> tuple[bool, int, str]:
    endpoint = rule.endpoint.removeprefix(ALIAS)
    return rule.endpoint.startswith(ALIAS), ORDER[endpoint], rule.rule


def _operation(rule: Rule) -> Json:
    endpoint = rule.endpoint.removeprefix(ALIAS)
    blueprint = endpoint.partition(".")[0]
    is_detailed = blueprint == "basic_chat"
    operation: Json = {
        "tags": [ALIASES if rule.endpoint.startswith(ALIAS) else TAGS[endpoint]],
        "summary": SUMMARIES[endpoint],
        "operationId": re.sub(r"\W+", "_", f"{rule.endpoint}_{rule.rule.strip('/<>')}"),
        "responses": {"200": _response(endpoint), "default": _error(is_detailed)},
    }
    if rule.endpoint.startswith(ALIAS):
        operation[ALIAS_OF] = address(f"/v1{rule.rule.removeprefix(ALIAS_PREFIX)}")
    if endpoint in DESCRIPTIONS:
        operation["description"] = DESCRIPTIONS[endpoint]
    if blueprint not in OPEN:
        operation["security"] = [{"basic": []} if blueprint == "basic_chat" else {"key": []}]
    if endpoint in BODIES:
        kind = "multipart/form-data" if endpoint in FORMS else "application/json"
        operation["requestBody"] = body_of(BODIES[endpoint], kind, FIELDS[endpoint])
        operation["requestBody"]["content"][kind]["example"] = operation_examples.REQUESTS[endpoint]
        operation["parameters"] = [IDEMPOTENCY_KEY]
    if rule.arguments:
        operation["parameters"] = in_path(rule.arguments)
    return operation


def _response(endpoint: str) -> Json:
    if endpoint in KINDS:
        kind = KINDS[endpoint]
        schema = response_schemas.EVENT if kind == EVENTS else response_schemas.TEXT
        response: Json = {"description": "The result.", "content": {kind: {"schema": schema}}}
    else:
        kind = "*/*" if endpoint in NEVER_JSON else "application/json"
        response = json_of(RESPONSES.get(endpoint, response_schemas.PASSTHROUGH))
    if endpoint in BINARY:
        response["content"]["*/*"] = {"schema": {}}
    if endpoint in BODIES:
        response["content"][EVENTS] = {"schema": response_schemas.EVENT}
    response["content"][kind]["example"] = operation_examples.RESPONSES[endpoint]
    return response


def _error(is_detailed: bool) -> Json:
    response = json_of(response_schemas.ERROR_WITH_DETAIL if is_detailed else "Error", "The failure.")
    example = operation_examples.ERROR_WITH_DETAIL if is_detailed else operation_examples.ERROR
    response["content"]["application/json"]["example"] = example
    return response
