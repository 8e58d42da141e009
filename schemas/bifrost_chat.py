"""
The body of POST /openai/v1/chat/completions: a chat body with checked ranges, and `reasoning`.

Source: https://docs.getbifrost.ai (chat completions, OpenAI format)
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError
from marshmallow.fields import Nested
from marshmallow.validate import OneOf, Range

from schemas.chat import ChatRequest
from schemas.fields import Integer, Number, Object, ShortText, Text, WireSchema
from schemas.known_values import EFFORTS


def _between(min_value: int, max_value: int) -> Range:
    return Range(min_value, max_value, error=f"must be from {min_value} to {max_value}")


def _effort() -> Text:
    return Text(validate=OneOf(EFFORTS, error=f"must be one of {', '.join(EFFORTS)}"))


class Reasoning(WireSchema):
    effort = _effort()
    max_tokens = Integer(0)


class BifrostChatRequest(ChatRequest):
    temperature = Number(validate=_between(0, 2))
    presence_penalty = Number(validate=_between(-2, 2))
    frequency_penalty = Number(validate=_between(-2, 2))
    logit_bias = Object()
    user: Any = ShortText()
    reasoning = Nested(Reasoning)
    reasoning_effort = _effort()
    cache_control = Object()

    def check(self, body: dict[str, Any]) -> None:
        super().check(body)
        if "reasoning_effort" in body and "effort" in body.get("reasoning", {}):
            raise ValidationError("must not be given together with reasoning.effort", "reasoning_effort")

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Move `reasoning.effort` to `reasoning_effort`; other fields of `reasoning` stay."""
        body = super().complete(body)
        reasoning = dict(body.pop("reasoning", {}))
        if "effort" in reasoning:
            body["reasoning_effort"] = reasoning.pop("effort")
        return body | ({"reasoning": reasoning} if reasoning else {})


BIFROST_CHAT_REQUEST = BifrostChatRequest()
