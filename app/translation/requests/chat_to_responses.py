"""
Translate a chat request to a Responses request.

Lost in translation, since Responses cannot express it:
- the roles of the system and developer messages at the start;
- the `name` of a message, and messages without content;
- the boundaries of text parts in a tool's output;
- whether a user's text was a string or a part (all become parts);
- `stop`, `seed`, penalties, `logit_bias`, `prediction`: see `field_support`.

Source: https://platform.openai.com/docs/guides/migrate-to-responses
"""

from __future__ import annotations

from typing import Any, cast

from app.errors import InvalidRequest
from app.openai_types.responses import Reasoning, ResponsesRequest, TextSettings
from app.translation.requests.messages_to_input import input_from_messages
from app.translation.requests.reasoning_and_format import (
    REASONING_FIELDS,
    SHARED_FIELDS,
    first_set,
    reasoning_settings,
    text_format,
    text_settings,
    without_nulls,
)
from app.translation.requests.tools import flat_choice, flat_tools, web_search_tool

Body = dict[str, Any]

MIN_OUTPUT_TOKENS = 16  # the Responses API refuses less; same value as in app.limits.output_lengths
LOGPROBS = "message.output_text.logprobs"
COPIED_FIELDS = (*SHARED_FIELDS, "parallel_tool_calls", "client_metadata")


def chat_to_responses(body: Body) -> Body:
    """
    Return the Responses request equivalent to the chat request *body*, streamed and not stored.

    Raises InvalidRequest for what Responses cannot express.
    """
    body = without_nulls(body)
    instructions, items = input_from_messages(body["messages"])
    if isinstance(body.get("instructions"), str):
        instructions = "\n".join(text for text in (body["instructions"], instructions) if text)
    out = {"model": body["model"], "instructions": instructions, "input": items}
    if body.get("promptCacheKey"):
        out["prompt_cache_key"] = body["promptCacheKey"]
    out.update((name, body[name]) for name in COPIED_FIELDS if name in body)
    out.update(_tool_fields(body))
    out.update(_response_fields(body))
    return {**out, "store": False, "stream": True}


def _tool_fields(body: Body) -> ResponsesRequest:
    out: ResponsesRequest = {}
    if "tools" in body:
        out["tools"] = flat_tools(body["tools"])
    if body.get("functions"):  # the deprecated names of `tools` and `tool_choice`
        out["tools"] = flat_tools([{"function": function} for function in body["functions"]])
        out["parallel_tool_calls"] = False  # a message has at most one `function_call`
    if "web_search_options" in body:
        out["tools"] = [*out.get("tools", ()), web_search_tool(body["web_search_options"])]
    if "tool_choice" in body:
        out["tool_choice"] = flat_choice(body["tool_choice"])
    elif "function_call" in body:
        choice = body["function_call"]
        out["tool_choice"] = flat_choice(
            {"type": "function", "name": choice.get("name")} if isinstance(choice, dict) else choice
        )
    return out


def _response_fields(body: Body) -> ResponsesRequest:
    out: ResponsesRequest = {}
    reasoning = {k: v for k, v in reasoning_settings(body).items() if k in REASONING_FIELDS}
    if reasoning:
        out["reasoning"] = cast(Reasoning, reasoning)
    text = _text(body)
    if text:
        out["text"] = text
    limit = first_set(body, ("max_completion_tokens", "max_tokens"))
    if limit is not None:
        out["max_output_tokens"] = max(limit, MIN_OUTPUT_TOKENS)
    include = list(body.get("include", ()))
    if body.get("logprobs"):
        include += [] if LOGPROBS in include else [LOGPROBS]
        out.update({"top_logprobs": body["top_logprobs"]} if body.get("top_logprobs") else {})
    if include:
        out["include"] = include
    obfuscation = body.get("stream_options", {}).get("include_obfuscation")
    if obfuscation is not None and body.get("stream"):
        out["stream_options"] = {"include_obfuscation": obfuscation}
    return out


def _text(body: Body) -> TextSettings:
    text = text_settings(body)
    if "response_format" in body:
        if "format" in text:
            raise InvalidRequest("give either 'response_format' or 'text.format'", param="response_format")
        text["format"] = text_format(body["response_format"])
    return text
