"""
JSON objects of Chat Completions.

Only the keys that the gateway reads or writes; others pass through.
Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from typing import Any, TypedDict

from app.openai_types.token_details import InputTokensDetails, OutputTokensDetails


class ImageUrl(TypedDict, total=False):
    url: str
    detail: str


class ChatFile(TypedDict, total=False):
    file_data: str
    filename: str


class ChatPart(TypedDict, total=False):
    """A part of a message's content."""

    type: str  # text | image_url | file
    text: str
    image_url: ImageUrl
    file: ChatFile
    prompt_cache_breakpoint: Any


class CalledFunction(TypedDict, total=False):
    name: str
    arguments: str


class CustomCall(TypedDict, total=False):
    name: str
    input: str


class ChatToolCall(TypedDict, total=False):
    """A tool call of a message, or a piece of one in a delta, which has an `index`."""

    index: int
    id: str
    type: str  # function | custom
    function: CalledFunction
    custom: CustomCall
    extra_content: Any  # Gemini's signatures


class ReasoningDetail(TypedDict, total=False):
    """A piece of reasoning in the format of other gateways."""

    id: str | None
    index: int
    type: str  # reasoning.text | reasoning.summary | reasoning.encrypted
    text: str
    summary: str
    data: str


class ChatDelta(TypedDict, total=False):
    role: str
    content: str | None
    refusal: str | None
    reasoning: str
    reasoning_content: str
    reasoning_details: list[ReasoningDetail]
    tool_calls: list[ChatToolCall]
    function_call: CalledFunction  # deprecated


class ChatMessage(TypedDict, total=False):
    """A message of a request or of a response."""

    role: str
    content: str | list[ChatPart] | None
    refusal: str | None
    reasoning: str
    reasoning_content: str
    reasoning_details: list[ReasoningDetail]
    tool_calls: list[ChatToolCall]
    tool_call_id: str
    function_call: CalledFunction  # deprecated


class TopLogprob(TypedDict):
    token: str
    logprob: float | None
    bytes: list[int]


class TokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob]


class ChatLogprobs(TypedDict, total=False):
    content: list[TokenLogprob] | None
    refusal: list[TokenLogprob] | None


class ChatChoice(TypedDict, total=False):
    """A choice of a completion, which has a `message`, or of a chunk, which has a `delta`."""

    index: int
    message: ChatMessage
    delta: ChatDelta
    logprobs: ChatLogprobs | None
    log_probs: ChatLogprobs | None  # the name in another gateway's responses
    finish_reason: str | None


class ChatUsage(TypedDict, total=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: InputTokensDetails
    completion_tokens_details: OutputTokensDetails


class ChatChunk(TypedDict, total=False):
    id: str
    object: str  # chat.completion.chunk
    created: int  # Unix seconds
    model: str | None
    service_tier: str
    choices: list[ChatChoice]
    usage: ChatUsage | None


class ChatCompletion(TypedDict, total=False):
    id: str
    object: str  # chat.completion
    created: int  # Unix seconds
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage | None


class Grammar(TypedDict, total=False):
    syntax: str
    definition: str


class CustomFormat(TypedDict, total=False):
    type: str  # text | grammar
    grammar: Grammar


class FunctionDefinition(TypedDict, total=False):
    name: str
    description: str
    parameters: dict[str, Any]  # JSON Schema
    strict: bool


class CustomDefinition(TypedDict, total=False):
    name: str
    description: str
    format: CustomFormat


class ChatTool(TypedDict, total=False):
    type: str  # function | custom
    function: FunctionDefinition
    custom: CustomDefinition


class SchemaFormat(TypedDict, total=False):
    """A named JSON Schema that the response has to match."""

    name: str
    description: str
    schema: dict[str, Any]
    strict: bool


class ResponseFormat(TypedDict, total=False):
    type: str | None  # text | json_object | json_schema
    json_schema: SchemaFormat


class StreamOptions(TypedDict, total=False):
    include_usage: bool
    include_obfuscation: bool


class ChatRequest(TypedDict, total=False):
    """The fields of a request that the gateway writes."""

    model: str
    messages: list[ChatMessage]
    tools: list[ChatTool]
    tool_choice: Any
    parallel_tool_calls: bool
    response_format: ResponseFormat
    verbosity: str
    reasoning_effort: str
    max_completion_tokens: int
    logprobs: bool
    top_logprobs: int
    stream: bool
    stream_options: StreamOptions
