"""
A chat request in the words of the Responses API.

What gets lost, because the other wire has no word for it:
- where a system or developer message stood, and which of the two it was;
- the `name` of a message, and messages without content;
- where one text part of a tool's output ended and the next began;
- which of a user's texts were bare strings (all become parts);
- `stop`, `seed`, penalties, `logit_bias`, `prediction`: see `fields`.

Source: https://platform.openai.com/docs/guides/migrate-to-responses
"""

from __future__ import annotations

from typing import Any

from app.errors import InvalidRequest
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

MIN_OUTPUT_TOKENS = 16  # the Responses API refuses less; as app.limits.output_lengths has it
LOGPROBS = "message.output_text.logprobs"
COPIED_FIELDS = (*SHARED_FIELDS, "parallel_tool_calls", "client_metadata")


def chat_to_responses(body: Body) -> Body:
    """
    Return a Responses request that asks what the chat request *body* asks.

    It streams and is not stored. Raises InvalidRequest for what cannot be said.
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
    out.update(_answer_fields(body))
    return {**out, "store": False, "stream": True}


def _tool_fields(body: Body) -> Body:
    out: Body = {}
    if "tools" in body:
        out["tools"] = flat_tools(body["tools"])
    if body.get("functions"):  # the deprecated names of `tools` and `tool_choice`
        out["tools"] = flat_tools([{"function": function} for function in body["functions"]])
        out["parallel_tool_calls"] = False  # such a message has room for one call
    if "web_search_options" in body:
        out["tools"] = [*out.get("tools", ()), web_search_tool(body["web_search_options"])]
    if "tool_choice" in body:
        out["tool_choice"] = flat_choice(body["tool_choice"])
    elif "function_call" in body:
        choice = body["function_call"]
        out["tool_choice"] = flat_choice(
            {"type": "function", **choice} if isinstance(choice, dict) else choice
        )
    return out


def _answer_fields(body: Body) -> Body:
    out: Body = {}
    reasoning = {k: v for k, v in reasoning_settings(body).items() if k in REASONING_FIELDS}
    if reasoning:
        out["reasoning"] = reasoning
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


def _text(body: Body) -> Body:
    text = text_settings(body)
    if "response_format" in body:
        if "format" in text:
            raise InvalidRequest("give either 'response_format' or 'text.format'", param="response_format")
        text["format"] = text_format(body["response_format"])
    return text
