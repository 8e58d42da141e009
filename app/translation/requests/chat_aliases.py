"""
Translate field names of some chat clients to those that chat servers know.

For accounts with the chat protocol; `chat_to_responses` reads the same aliases.
"""

from __future__ import annotations

from typing import Any

from app.translation.requests.parts import as_list, text_of
from app.translation.requests.reasoning_and_format import (
    reasoning_settings,
    response_format,
    text_settings,
    without_nulls,
)
from app.translation.requests.tools import is_flat, nested_chat_choice, nested_tool

Body = dict[str, Any]

OTHER_TEXT_TYPES = (None, "input_text", "output_text")


def in_form_of_chat(body: Body, others: list[Any]) -> Body:
    """
    Return the chat request *body* with tools and parts in the form of chat, which chat servers expect.

    *others* are those of its messages that are `beyond_text`.
    """
    if body.get("tools"):
        body = with_nested_tools(body)
    if any(map(_has_odd_content, others)):
        return {**body, "messages": [_with_chat_parts(message) for message in body["messages"]]}
    return body


def with_nested_tools(body: Body) -> Body:
    """Return *body* with nested tools: some clients send the flat ones of Responses."""
    tools, choice = body["tools"], body.get("tool_choice")
    if any(map(is_flat, tools)):
        body = {**body, "tools": [nested_tool(tool) for tool in tools]}
    if isinstance(choice, dict) and (nested := nested_chat_choice(choice)) != choice:
        body = {**body, "tool_choice": nested}
    return body


def _has_odd_content(message: Body) -> bool:
    content = message.get("content")
    if isinstance(content, list):
        return any(map(_is_odd, content))
    return isinstance(content, dict)


def _is_odd(part: Any) -> bool:
    """Return whether *part* is a text part in a form other than that of chat."""
    return isinstance(part, str) or (part.get("type") in OTHER_TEXT_TYPES and text_of(part) is not None)


def _with_chat_parts(message: Body) -> Body:
    if not _has_odd_content(message):
        return message
    return {**message, "content": [_chat_part(part) for part in as_list(message["content"])]}


def _chat_part(part: Any) -> Any:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {**part, "type": "text"} if _is_odd(part) else part


def translate_aliases(body: Body, others: Body) -> Body:
    """Return the chat request *body* with *others*, fields under other names, as settings of chat."""
    reasoning = reasoning_settings({"reasoning_effort": body.get("reasoning_effort"), **others})
    text = text_settings({"verbosity": body.get("verbosity"), **others})
    out = {
        **body,
        **without_nulls(
            {
                "reasoning_effort": reasoning.get("effort"),
                "verbosity": text.get("verbosity"),
                "response_format": response_format(text["format"]) if text.get("format") else None,
                "prompt_cache_key": body.get("prompt_cache_key") or others.get("promptCacheKey"),
            }
        ),
    }
    if others.get("instructions"):
        out["messages"] = [{"role": "system", "content": others["instructions"]}, *body["messages"]]
    return out
