"""POST /v1/responses/compact: a conversation made short, where an account can do that."""

from __future__ import annotations

from typing import Any

from flask import Response

from app.api.answer import Shape, answer
from app.api.body import read_json
from app.api.context import services
from app.api.request_context import make_call
from app.errors import UpstreamError
from app.relay.fallbacks import FallbackChain
from app.translation.requests.responses_input import normalize_input
from schemas.compact import COMPACT_REQUEST

OBJECT = "response.compaction"
ITEMS = ("compaction", "compaction_summary")


def compact() -> Response:
    payload, size = read_json(services().settings.max_responses_body_bytes)
    body = normalize_input(COMPACT_REQUEST.load(payload))
    return answer(make_call("responses/compact", body, size, stream=False), Compacted())


class Compacted(Shape):
    """Of an ordinary response, which the ChatGPT backend gives, only the compaction is kept."""

    def whole(self, body: dict[str, Any], answering: FallbackChain) -> dict[str, Any]:
        output = body["output"] if isinstance(body["output"], list) else []
        if body["object"] != OBJECT:
            output = [item for item in output if isinstance(item, dict) and item.get("type") in ITEMS]
        if not output:
            raise UpstreamError("The upstream answered without compacting the conversation")
        made = {"object": OBJECT, "output": output, "usage": body["usage"]}
        return {name: body[name] for name in ("id", "created_at") if name in body} | made
