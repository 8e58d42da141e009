"""POST /v1/responses/compact: compact a conversation, if an account supports that."""

from __future__ import annotations

from flask import Response

from app.api.body import read_json
from app.api.context import services
from app.api.model_responses import ResponseTransform, respond
from app.api.request_context import make_context
from app.errors import UpstreamError
from app.relay.context import JsonObject, ResponseOptions
from app.relay.fallbacks import FallbackChain
from app.translation.requests.responses_input import normalize_input
from schemas.compact import COMPACT_REQUEST

OBJECT = "response.compaction"
ITEMS = ("compaction", "compaction_summary")


def compact() -> Response:
    payload, size = read_json(services().settings.max_responses_body_bytes)
    lost: dict[str, None] = {}
    body = normalize_input(COMPACT_REQUEST.load(payload), lost)
    context = make_context("responses/compact", body, size, ResponseOptions(stream=False), lost=lost)
    return respond(context, CompactionTransform())


class CompactionTransform(ResponseTransform):
    """Reduces an ordinary response, which the ChatGPT backend sends, to its compaction."""

    def body(self, body: JsonObject, chain: FallbackChain) -> JsonObject:
        output = body["output"] if isinstance(body["output"], list) else []
        if body["object"] != OBJECT:
            output = [item for item in output if isinstance(item, dict) and item.get("type") in ITEMS]
        if not output:
            raise UpstreamError("The upstream answered without compacting the conversation")
        compaction = {"object": OBJECT, "output": output, "usage": body["usage"]}
        return {name: body[name] for name in ("id", "created_at") if name in body} | compaction
