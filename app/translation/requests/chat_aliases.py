"""
Translate field names of some chat clients to those that chat servers know.

For accounts with the chat protocol; `chat_to_responses` reads the same aliases.
"""

from __future__ import annotations

from typing import Any

from app.translation.requests.reasoning_and_format import (
    reasoning_settings,
    response_format,
    text_settings,
    without_nulls,
)
from app.translation.requests.tools import is_flat, nested_chat_choice, nested_tool

Body = dict[str, Any]


def with_nested_tools(body: Body) -> Body:
    """Return the chat request *body* with tools in the form of chat: some clients send that of Responses."""
    tools, choice = body["tools"], body.get("tool_choice")
    if any(map(is_flat, tools)):
        body = {**body, "tools": [nested_tool(tool) for tool in tools]}
    if isinstance(choice, dict) and (nested := nested_chat_choice(choice)) != choice:
        body = {**body, "tool_choice": nested}
    return body


def translate_aliases(body: Body, others: Body) -> Body:
    """Return the chat request *body* with the settings in *others*, its fields under other names."""
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
