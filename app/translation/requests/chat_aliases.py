"""
What clients of chat say in words of their own, in those that chat servers know.

For accounts that speak chat themselves; `chat_to_responses` reads the same words.
"""

from __future__ import annotations

from typing import Any

from app.translation.requests.reasoning_and_format import (
    reasoning_settings,
    response_format,
    text_settings,
    without_nulls,
)

Body = dict[str, Any]


def translate_aliases(body: Body, others: Body) -> Body:
    """Return the chat request *body* with what *others* ask for, the fields it has no such names for."""
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
