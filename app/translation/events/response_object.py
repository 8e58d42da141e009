"""
The response object at the start of a response.

It has every field that the Responses API and Open Responses require, with the API's defaults for what the
request leaves out.
Source: https://platform.openai.com/docs/api-reference/responses/object and https://www.openresponses.org
"""

from __future__ import annotations

from typing import Any, cast

from app.openai_types.responses import ResponseObject
from app.translation.requests.parts import as_list
from app.translation.requests.tools import unnested

# The request's settings that a response repeats, with their defaults.
SETTINGS: dict[str, Any] = {
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
# The fields that objects in the settings always have; null stands for the server's default.
_PARTS: dict[str, dict[str, Any]] = {name: SETTINGS[name] for name in ("reasoning", "text")}
_FUNCTION = {"description": None, "parameters": None, "strict": None}
_JSON_SCHEMA = {"description": None, "strict": False}


def response_object(response_id: str, created_at: int, request: dict[str, Any]) -> ResponseObject:
    """Return the initial response object for *request*; *created_at* is in Unix seconds."""
    settings = {
        name: default if (value := request.get(name)) is None else value for name, default in SETTINGS.items()
    }
    for name, fields in _PARTS.items():
        settings[name] = _with_defaults(settings[name], fields)
    text_format = settings["text"]["format"]
    if isinstance(text_format, dict) and text_format.get("type") == "json_schema":
        settings["text"]["format"] = _with_defaults(text_format, _JSON_SCHEMA)
    settings["tools"] = [_complete_tool(tool) for tool in as_list(settings["tools"])]
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "completed_at": None,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": request.get("model"),
        "output": [],
        "usage": None,
        "background": False,
        "store": False,
        **cast(ResponseObject, settings),
    }


def _with_defaults(given: Any, fields: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {**fields}
    return {**fields, **{name: value for name, value in given.items() if value is not None}}


def _complete_tool(tool: Any) -> Any:
    if isinstance(tool, dict) and tool.get("type", "function") == "function":
        return {**_FUNCTION, **unnested(tool)}
    return tool


def failed_response(
    response_id: str, created_at: int, request: dict[str, Any], error: dict[str, Any]
) -> ResponseObject:
    """Return the response object of a failure; *error* is the `error` of an error body, its code a text."""
    response = response_object(response_id, created_at, request)
    response["status"] = "failed"
    response["error"] = {**error, "code": error.get("code") or error.get("type")}
    return response
