"""
The body of POST /v1/responses/compact: a conversation. Other fields are dropped.

Source: https://platform.openai.com/docs/api-reference/responses/compact
"""

from __future__ import annotations

from typing import Any

from marshmallow import pre_load

from schemas.responses import ResponsesRequest

RETAINED_FIELDS = ("model", "input", "messages", "instructions", "prompt_cache_key", "service_tier")


class CompactRequest(ResponsesRequest):
    @pre_load
    def without_nulls(self, data: Any, **more: Any) -> Any:
        if isinstance(data, dict):
            data = {name: data[name] for name in RETAINED_FIELDS if name in data}
        return super().without_nulls(data, **more)

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: body[name] for name in RETAINED_FIELDS if name in body}


COMPACT_REQUEST = CompactRequest()
