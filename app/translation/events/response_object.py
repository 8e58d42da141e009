"""The response object at the start of an answer."""

from __future__ import annotations

from typing import Any, cast

from app.translation.types.responses import ResponseObject

# The request's settings that a response repeats, with their defaults.
# Source: https://platform.openai.com/docs/api-reference/responses/object
SETTINGS: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": None,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}


def response_object(response_id: str, created_at: int, request: dict[str, Any]) -> ResponseObject:
    """Return the initial response object for *request*; *created_at* is in Unix seconds."""
    settings = cast(ResponseObject, {name: request.get(name, default) for name, default in SETTINGS.items()})
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": request.get("model"),
        "output": [],
        "usage": None,
        "background": False,
        "store": False,
        **settings,
    }
