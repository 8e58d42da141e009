"""
The fields of POST /v1/responses, and of a compaction.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from schemas.json_schema import JsonSchema
from schemas.known_values import EFFORTS
from schemas.reference import chat, common
from schemas.reference.types import array, constant, flag, integer, note, number, struct, text, union

INPUT_TEXT = struct("text part", "type text", type=constant("input_text"), text=text())
INPUT_IMAGE = struct(
    "image part",
    "type",
    type=constant("input_image"),
    image_url=text("An `https:` address, or a `data:` URL."),
    detail=text("", "auto", "low", "high", "original"),
)
INPUT_FILE = struct(
    "file part",
    "type",
    type=constant("input_file"),
    file_data=text("The file as a `data:` URL. A `file_id` is refused: other accounts cannot read it."),
    file_url=text("An address that the upstream fetches."),
    filename=text(),
)
OUTPUT_TEXT = struct("output text", "type text", type=constant("output_text"), text=text())
MESSAGE = struct(
    "message",
    "role content",
    type=constant("message"),
    role={"enum": ["user", "assistant", "system", "developer"]},
    content=union(
        chat.STRING, array(union(INPUT_TEXT, INPUT_IMAGE, INPUT_FILE, OUTPUT_TEXT, chat.REFUSAL_PART))
    ),
)
CALL = struct(
    "function call",
    "type call_id name arguments",
    type=constant("function_call"),
    call_id=text("The id that the result names."),
    name=text(),
    arguments=text("JSON, as a string."),
)
CALL_OUTPUT = struct(
    "result of a function call",
    "type call_id output",
    type=constant("function_call_output"),
    call_id=text("The id of the call."),
    output=union(chat.STRING, array(union(INPUT_TEXT, INPUT_IMAGE, INPUT_FILE))),
)
CUSTOM_CALL = struct(
    "custom tool call",
    "type call_id name input",
    type=constant("custom_tool_call"),
    call_id=text(),
    name=text(),
    input=text("Free text."),
)
CUSTOM_OUTPUT = struct(
    "result of a custom tool call",
    "type call_id output",
    type=constant("custom_tool_call_output"),
    call_id=text("The id of the call."),
    output=chat.STRING,
)
REASONING = struct(
    "reasoning",
    "type summary",
    type=constant("reasoning"),
    id=text(),
    summary=array(struct("summary text", type=constant("summary_text"), text=text())),
    encrypted_content=text("As the upstream returned it."),
)
COMPACTION = struct(
    "compaction",
    "type encrypted_content",
    type=constant("compaction"),
    encrypted_content=text("As the upstream returned it."),
)
ITEM = union(
    *(MESSAGE, CALL, CALL_OUTPUT, CUSTOM_CALL, CUSTOM_OUTPUT, REASONING, COMPACTION),
    struct(
        "other item", "type", type=text("Items of other types pass through to accounts that speak Responses.")
    ),
)
TOOL = union(
    struct(
        "function tool",
        "type name",
        type=constant("function"),
        name=text("At most 128 characters at OpenAI."),
        description=text("When and how to call it."),
        parameters=struct("JSON Schema"),
        strict=common.STRICT,
    ),
    struct(
        "custom tool",
        "type name",
        type=constant("custom"),
        name=text(),
        description=text(),
        format=struct(
            "format", type=text("", "text", "grammar"), syntax=text("", "lark", "regex"), definition=text()
        ),
    ),
    struct(
        "web search",
        "type",
        type={"enum": ["web_search", "web_search_preview"]},
        search_context_size=text("", "low", "medium", "high"),
        user_location=common.LOCATION,
        filters=struct("filters"),
    ),
    struct("other tool", "type", type=text("Tools that the upstream runs, such as `mcp`.")),
)
TOOL_CHOICE = union(
    {"enum": ["none", "auto", "required"]},
    struct("forced tool", "type name", type={"enum": ["function", "custom"]}, name=text()),
    struct("other choice", "type", type=text("", "allowed_tools", "web_search", "mcp")),
)
FORMAT = union(
    struct("text", "type", type={"enum": ["text", "json_object"]}),
    struct("JSON Schema format", "type name", "", type=constant("json_schema"), **common.JSON_SCHEMA_FORMAT),
)
INPUT_NOTE = (
    "The text, or the items of the conversation, the oldest first. Required, unless there are `messages`."
)

CONVERSATION_FIELDS: dict[str, JsonSchema] = {
    "model": common.MODEL,
    "input": {**note(INPUT_NOTE), "items": ITEM},
    "messages": {
        **note("The conversation in the format of chat, in place of `input`."),
        "items": chat.MESSAGE,
        "minItems": 1,
    },
    "instructions": note("A system message, in front of the input."),
    "prompt_cache_key": common.PROMPT_CACHE_KEY,
    "service_tier": common.SERVICE_TIER,
}
COMPACT_FIELDS = CONVERSATION_FIELDS
FIELDS: dict[str, JsonSchema] = {
    **CONVERSATION_FIELDS,
    "stream": common.STREAM,
    "stream_options": {
        **note("What a stream has besides the response."),
        "properties": {"include_obfuscation": flag("Whether the upstream pads events to a similar length.")},
    },
    "max_output_tokens": integer(
        "The largest number of tokens of the response, reasoning included. Where the upstream has no limit,"
        " the gateway counts and cuts the stream."
    ),
    "reasoning": {
        **note("How a reasoning model thinks."),
        "properties": {
            "effort": text("How much it thinks.", *EFFORTS),
            "summary": text("How its summary of that is returned.", "auto", "concise", "detailed"),
        },
    },
    "text": {
        **note("The form of the text."),
        "properties": {"format": FORMAT, "verbosity": text("", "low", "medium", "high")},
    },
    "tools": {**note("What the model may call."), "items": TOOL},
    "tool_choice": {**note("Which tools the model may or must call."), **TOOL_CHOICE},
    "parallel_tool_calls": note("Whether one turn may have several calls."),
    "include": note("Additional data to return."),
    "fallbacks": common.FALLBACKS,
    "conversation": {
        **note("The id of a conversation that an upstream stores: it stays with its account."),
        "properties": {"id": text()},
    },
    "metadata": common.METADATA,
    "safety_identifier": common.SAFETY_IDENTIFIER,
    "user": common.USER,
    "store": note("Only false: the gateway stores no responses."),
    "previous_response_id": note(
        "Refused over HTTP: send the conversation as `input`. Over WebSocket it continues a response."
    ),
    "truncation": note("Refused: the gateway never shortens a conversation."),
    "temperature": number("From 0 to 2 at most upstreams: higher is more random."),
    "top_p": number("From 0 to 1: only the likeliest tokens of this total probability are considered."),
    "top_logprobs": integer("How many alternatives to return for each token; needs `include`."),
    "max_tool_calls": integer("The largest number of calls of tools that the upstream runs."),
    "prompt_cache_retention": text(
        "Deprecated upstream: how long a prompt stays cached.", "in_memory", "24h"
    ),
}
