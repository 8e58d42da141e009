"""
The body of POST /v1/chat/completions.

Only `n` has a range; for other numbers the upstream knows the ranges of its models. Names are bounded
(`schemas.bounds`), since they are stored and logged.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError
from marshmallow.fields import Nested

from schemas.bounds import MAX_TIER_CHARS
from schemas.fields import (
    Fallbacks,
    Flag,
    Integer,
    ModelName,
    Number,
    Object,
    ShortText,
    Stops,
    Text,
    Texts,
    Unread,
    WideSchema,
    WireSchema,
    without_empty_lengths,
)
from schemas.formats import ResponseFormat, TextOptions
from schemas.messages import Messages
from schemas.tools import ChatToolChoice, ChatTools, FunctionCall, Functions


class StreamOptions(WireSchema):
    include_usage = Flag()
    include_obfuscation = Flag()


class UserLocation(WireSchema):
    approximate = Object()


class WebSearchOptions(WireSchema):
    user_location = Nested(UserLocation)


class ChatRequest(WideSchema):
    model = ModelName(required=True)
    messages = Messages(required=True)
    tools = ChatTools()
    tool_choice = ChatToolChoice()
    functions = Functions()
    function_call = FunctionCall()
    parallel_tool_calls = Flag()
    stream = Flag(load_default=False)
    stream_options = Nested(StreamOptions)
    temperature = Number()
    top_p = Number()
    max_tokens = Integer()
    max_completion_tokens = Integer()
    response_format = ResponseFormat()
    stop = Stops()
    presence_penalty = Number()
    frequency_penalty = Number()
    logprobs = Flag()
    top_logprobs = Integer()
    seed = Integer()
    n = Integer(1, 128)  # above 1 only some accounts are eligible
    store = Flag()
    reasoning_effort = Text()
    text = Nested(TextOptions)
    include = Texts()
    instructions = Text()
    web_search_options = Nested(WebSearchOptions)
    fallbacks = Fallbacks()
    service_tier = ShortText(MAX_TIER_CHARS)
    user: Any = Unread()
    safety_identifier = Unread()
    prompt_cache_key = Unread()
    metadata = Unread()

    def check(self, body: dict[str, Any]) -> None:
        if "top_logprobs" in body and body.get("logprobs") is not True:
            raise ValidationError("needs logprobs to be true", "top_logprobs")
        if "response_format" in body and "format" in body.get("text", {}):
            raise ValidationError("must not be given together with text.format", "response_format")

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        return without_empty_lengths(body, ("max_tokens", "max_completion_tokens"))


class LegacyChatRequest(ChatRequest):
    messages = Messages(required=True, functions=True)


CHAT_REQUEST = ChatRequest()  # built once: building a schema costs more than many loads
LEGACY_CHAT_REQUEST = LegacyChatRequest()  # with the deprecated role `function`
