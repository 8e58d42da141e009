"""
The fields of POST /v1/chat/completions.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from schemas.json_schema import JsonSchema
from schemas.known_values import EFFORTS
from schemas.reference import common
from schemas.reference.types import (
    array,
    constant,
    flag,
    note,
    struct,
    text,
    union,
)

STRING: JsonSchema = {"type": "string"}
TEXT_PART = struct("text part", "text", type=constant("text"), text=text("The text."))
IMAGE_PART = struct(
    "image part",
    "type image_url",
    type=constant("image_url"),
    image_url=struct(
        "image",
        "url",
        url=text("An `https:` address, or a `data:` URL with the image in base64."),
        detail=text("How closely the model looks.", "auto", "low", "high", "original"),
    ),
)
FILE_PART = struct(
    "file part",
    "type file",
    type=constant("file"),
    file=struct(
        "file",
        file_data=text("The file as a `data:` URL. A `file_id` is refused: other accounts cannot read it."),
        filename=text("Its name."),
    ),
)
REFUSAL_PART = struct("refusal part", "type refusal", type=constant("refusal"), refusal=text())
CALL = struct(
    "function call",
    "id function",
    id=text("The id that the result names."),
    type=constant("function"),
    function=struct("called function", "name arguments", name=text(), arguments=text("JSON, as a string.")),
)
CUSTOM_CALL = struct(
    "custom tool call",
    "id type custom",
    id=text("The id that the result names."),
    type=constant("custom"),
    custom=struct("called tool", "name input", name=text(), input=text("Free text.")),
)


def _content(*parts: JsonSchema) -> JsonSchema:
    """Return a string, or an array of *parts*."""
    return union(STRING, array(union(*parts) if len(parts) > 1 else parts[0]))


MESSAGE = union(
    struct(
        "system or developer message",
        "role content",
        role={"enum": ["system", "developer"]},
        content=_content(TEXT_PART),
        name=text("Distinguishes participants of the same role."),
    ),
    struct(
        "user message",
        "role content",
        role=constant("user"),
        content=_content(TEXT_PART, IMAGE_PART, FILE_PART),
        name=text(),
    ),
    struct(
        "assistant message",
        "role",
        role=constant("assistant"),
        content=union(STRING, array(union(TEXT_PART, REFUSAL_PART)), {"type": "null"}),
        refusal=text(),
        tool_calls=array(union(CALL, CUSTOM_CALL), "The calls of this turn."),
    ),
    struct(
        "tool message",
        "role content tool_call_id",
        role=constant("tool"),
        content=_content(TEXT_PART),
        tool_call_id=text("The id of a call of an earlier assistant message."),
    ),
)
TOOL = union(
    struct(
        "function tool",
        "type function",
        type=constant("function"),
        function=struct(
            "function",
            "name",
            name=text("At most 64 characters at OpenAI."),
            description=text("When and how to call it."),
            parameters=struct("JSON Schema"),
            strict=common.STRICT,
        ),
    ),
    struct(
        "custom tool",
        "type custom",
        type=constant("custom"),
        custom=struct(
            "custom",
            "name",
            name=text(),
            description=text(),
            format=struct("format", type=text("", "text", "grammar"), grammar=struct("grammar")),
        ),
    ),
    struct(
        "web search",
        "type",
        type={"enum": ["web_search", "web_search_preview"]},
        search_context_size=text("", "low", "medium", "high"),
        user_location=struct("user_location"),
    ),
)
TOOL_CHOICE = union(
    {"enum": ["none", "auto", "required"]},
    struct(
        "forced function",
        "type function",
        type=constant("function"),
        function=struct("name", "name", name=text()),
    ),
    struct(
        "forced custom tool",
        "type custom",
        type=constant("custom"),
        custom=struct("name", "name", name=text()),
    ),
    struct("allowed tools", "type", type=constant("allowed_tools"), allowed_tools=struct("allowed tools")),
)
RESPONSE_FORMAT = union(
    struct("text", "type", type={"enum": ["text", "json_object"]}),
    struct(
        "JSON Schema format",
        "type json_schema",
        type=constant("json_schema"),
        json_schema=struct("format", "name", "", **common.JSON_SCHEMA_FORMAT),
    ),
    {"enum": ["text", "json_object"]},
)

FIELDS: dict[str, JsonSchema] = {
    "model": common.MODEL,
    "messages": {**note("The conversation, the oldest message first."), "items": MESSAGE, "minItems": 1},
    "stream": common.STREAM,
    "stream_options": {
        **note("What a stream has besides the response."),
        "properties": {
            "include_usage": flag("Send the used tokens in one more chunk at the end."),
            "include_obfuscation": flag("Whether the upstream pads chunks to a similar length."),
        },
    },
    "max_completion_tokens": note(
        "The largest number of tokens of the response, reasoning included. Where the upstream has no limit,"
        " the gateway counts and cuts the stream."
    ),
    "max_tokens": note("Deprecated: `max_completion_tokens`."),
    "temperature": note("From 0 to 2 at most upstreams: higher is more random."),
    "top_p": note("From 0 to 1: only the likeliest tokens of this total probability are considered."),
    "stop": {
        **note("Where the response ends, without these texts, also at upstreams that cannot do it."),
        "type": ["string", "array", "null"],
    },
    "n": note("The number of choices. Above 1, only accounts that support it are used."),
    "seed": note("Makes repeats more alike at upstreams that support it."),
    "presence_penalty": note("From -2 to 2: penalizes tokens that already occur."),
    "frequency_penalty": note("From -2 to 2: penalizes tokens by how often they occur."),
    "logprobs": note("Return the log probabilities of tokens; only accounts that have them are used."),
    "top_logprobs": note("How many alternatives to return for each token, 0 to 20; needs `logprobs`."),
    "tools": {**note("What the model may call."), "items": TOOL},
    "tool_choice": {**note("Which tools the model may or must call."), **TOOL_CHOICE},
    "parallel_tool_calls": note("Whether one turn may have several calls."),
    "response_format": {**note("The form of the response."), **RESPONSE_FORMAT},
    "reasoning_effort": {**note("How much a reasoning model thinks."), "examples": list(EFFORTS)},
    "web_search_options": {
        **note("Lets a model search the web, where an account can."),
        "properties": {
            "search_context_size": text("", "low", "medium", "high"),
            "user_location": struct(
                "user location", type=constant("approximate"), approximate=common.LOCATION
            ),
        },
    },
    "fallbacks": common.FALLBACKS,
    "service_tier": common.SERVICE_TIER,
    "prompt_cache_key": {**common.PROMPT_CACHE_KEY, "type": "string"},
    "metadata": common.METADATA,
    "safety_identifier": common.SAFETY_IDENTIFIER,
    "user": common.USER,
    "store": note("Accepted; the gateway stores no responses."),
    "instructions": note("As in Responses: joined with the system messages."),
    "include": note("As in Responses: additional data to return."),
    "text": note("As in Responses: `verbosity`, and `format` in place of `response_format`."),
    "functions": {
        **note("Deprecated: `tools`."),
        "items": struct(
            "function", "name", name=text(), description=text(), parameters=struct("JSON Schema")
        ),
    },
    "function_call": note("Deprecated: `tool_choice`."),
    "verbosity": text("How long the response is.", "low", "medium", "high"),
    "logit_bias": {
        "type": "object",
        **note("Token id to a bias from -100 to 100."),
        "additionalProperties": True,
    },
    "modalities": array(STRING, "Kinds of output, such as `text`; `audio` needs an account that has it."),
    "audio": struct("audio", "", "Voice and format of spoken output.", voice=text(), format=text()),
    "prediction": struct(
        "prediction",
        "",
        "Text that much of the response repeats.",
        type=constant("content"),
        content=STRING,
    ),
    "prompt_cache_retention": text(
        "Deprecated upstream: how long a prompt stays cached.", "in_memory", "24h"
    ),
}
EXTENDED_FIELDS: dict[str, JsonSchema] = {  # of /openai/v1/chat/completions
    "reasoning": {
        **note("How a reasoning model thinks."),
        "properties": {"effort": text("", *EFFORTS), "max_tokens": {"type": "integer"}},
    },
    "cache_control": note("Accepted; has no effect."),
}
