"""
The body of POST /v1/responses.

`messages`, in the format of chat, may replace `input`. Fields that need stored responses (`store`,
`previous_response_id`) are refused rather than silently ignored.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, pre_load
from marshmallow.fields import Nested
from marshmallow.validate import Equal

from schemas.bounds import MAX_TEXT_CHARS, MAX_TIER_CHARS
from schemas.fields import (
    Fallbacks,
    Flag,
    Json,
    ModelName,
    Object,
    ShortText,
    Text,
    Texts,
    Unread,
    WideSchema,
    WireSchema,
    without_empty_lengths,
)
from schemas.formats import TextOptions
from schemas.input_items import Input
from schemas.messages import Messages
from schemas.tools import ResponsesToolChoice, ResponsesTools
from schemas.validation_errors import invalid

INCLUDES = (
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
)


class ReasoningOptions(WireSchema):
    effort = Text()
    summary = Text()


class Unsupported(Json):
    types, expected = (), "null or absent: it is not supported"


class Conversation(Json):
    """The id of a stored conversation, alone or as `{"id": …}`."""

    types, expected = (str, dict), "a conversation id or an object with one"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        value = super()._deserialize(value, attr, data)
        conversation_id = value.get("id") if isinstance(value, dict) else value
        if not isinstance(conversation_id, str):
            raise invalid(f"must be {self.expected}")
        if len(conversation_id) > MAX_TEXT_CHARS:
            raise invalid(f"must have at most {MAX_TEXT_CHARS} characters")
        return value


class ResponsesRequest(WideSchema):
    model = ModelName(required=True)
    input = Input()
    messages = Messages(continues="conversation")
    instructions = Text()
    tools = ResponsesTools()
    tool_choice = ResponsesToolChoice()
    parallel_tool_calls = Flag()
    reasoning = Nested(ReasoningOptions)
    text = Nested(TextOptions)
    stream = Flag(load_default=False)
    stream_options = Object()
    include = Texts(INCLUDES)
    conversation = Conversation()
    previous_response_id = Unsupported()
    store = Flag(validate=Equal(False, error="must be false: responses are not stored"))
    truncation = Unsupported()
    prompt_cache_key = ShortText()
    service_tier = ShortText(MAX_TIER_CHARS)
    fallbacks = Fallbacks()
    user = Unread()
    safety_identifier = Unread()
    metadata = Unread()

    @pre_load
    def without_nulls(self, data: Any, **more: Any) -> Any:
        """Drop null fields, and an empty `input` next to `messages`."""
        body = super().without_nulls(data, **more)
        if isinstance(body, dict) and "messages" in body and body.get("input") == []:
            del body["input"]
        return body

    def check(self, body: dict[str, Any]) -> None:
        if "input" in body and "messages" in body:
            raise ValidationError("must not be given together with input", "messages")
        if "input" not in body and "messages" not in body:
            raise ValidationError("is required, or messages in its place", "input")

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        return without_empty_lengths(body, ("max_output_tokens",))


RESPONSES_REQUEST = ResponsesRequest()  # built once: building a schema costs more than many loads
