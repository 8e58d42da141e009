"""
JSON objects of the Responses API.

Only the keys that the gateway reads or writes; others pass through.
Source: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from typing import Any, TypedDict

from app.openai_types.token_details import InputTokensDetails, OutputTokensDetails


class ContentPart(TypedDict, total=False):
    """A part of a message or of reasoning, in a response or in the input."""

    type: str  # output_text | refusal | reasoning_text | summary_text | input_text | input_image | input_file
    text: str
    refusal: str
    annotations: list[Any]
    logprobs: list[Any]
    image_url: str
    detail: str
    file_url: str
    file_data: str
    filename: str
    prompt_cache_breakpoint: Any


class ResponsesItem(TypedDict, total=False):
    """An item of the input or of the output."""

    id: str | None
    type: str  # message | reasoning | function_call | custom_tool_call | function_call_output | ...
    role: str
    status: str
    content: str | list[ContentPart] | None
    summary: list[ContentPart]
    encrypted_content: str
    call_id: str
    name: str
    namespace: str
    arguments: str  # of a function call
    input: str  # of a custom tool call
    action: dict[str, Any]  # of a local shell call
    output: str | list[ContentPart]


class ResponsesUsage(TypedDict):
    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class IncompleteDetails(TypedDict):
    reason: str


class ResponseObject(TypedDict, total=False):
    id: str
    object: str  # response
    created_at: int  # Unix seconds
    completed_at: int | None  # Unix seconds
    status: str  # in_progress | completed | incomplete | failed
    background: bool
    error: Any
    incomplete_details: IncompleteDetails | None
    model: str | None
    output: list[ResponsesItem]
    service_tier: str | None
    store: bool
    usage: ResponsesUsage | None


class ResponsesEvent(TypedDict, total=False):
    """An event of a stream, or its keys that refer to an item and a part."""

    type: str
    sequence_number: int
    item_id: str | None
    output_index: int
    content_index: int
    summary_index: int
    annotation_index: int
    annotation: Any
    response: ResponseObject
    item: ResponsesItem
    part: ContentPart
    delta: str
    text: str
    refusal: str
    arguments: str
    input: str
    name: str
    logprobs: list[Any]


class ApproximateLocation(TypedDict, total=False):
    type: str  # approximate
    city: str
    country: str
    region: str
    timezone: str


class ToolFormat(TypedDict, total=False):
    """The format of a custom tool's input."""

    type: str  # text | grammar
    syntax: str
    definition: str


class ResponsesTool(TypedDict, total=False):
    type: str  # function | custom | web_search | namespace | ...
    name: str
    description: str
    parameters: dict[str, Any]  # JSON Schema
    strict: bool
    format: ToolFormat
    tools: list[Any]  # of a namespace
    search_context_size: str
    user_location: ApproximateLocation


class Reasoning(TypedDict, total=False):
    effort: str
    summary: str
    generate_summary: str
    context: str
    mode: str


class TextFormat(TypedDict, total=False):
    type: str  # text | json_object | json_schema
    name: str
    description: str
    schema: dict[str, Any]
    strict: bool


class TextSettings(TypedDict, total=False):
    format: TextFormat
    verbosity: str


class ResponsesRequest(TypedDict, total=False):
    """The fields of a request that the gateway writes."""

    model: str
    instructions: str
    input: list[ResponsesItem]
    tools: list[ResponsesTool]
    tool_choice: Any
    parallel_tool_calls: bool
    reasoning: Reasoning
    text: TextSettings
    max_output_tokens: int
    top_logprobs: int
    include: list[str]
    stream_options: Any
    prompt_cache_key: str
    store: bool
    stream: bool
