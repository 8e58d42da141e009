"""Replace a `tool_choice` of allowed tools, which some servers lack, by a request with only these tools."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]

ALLOWED_TOOLS = "allowed_tools"
_MODES = ("auto", "required")


def has_allowed_tools(body: Body) -> bool:
    """Return whether *body* allows some of its tools, and can be sent with only these instead."""
    choice = body.get("tool_choice")
    if not isinstance(choice, dict) or choice.get("type") != ALLOWED_TOOLS:
        return False
    return bool(_allowed_in(body)) and _settings_of(choice).get("mode", "auto") in _MODES


def with_only_allowed(body: Body) -> Body:
    """Return *body*, for which `has_allowed_tools` is true, with only the allowed tools."""
    mode = _settings_of(body["tool_choice"]).get("mode", "auto")
    return {**body, "tools": _allowed_in(body), "tool_choice": mode}


def _settings_of(choice: Body) -> Body:
    """Return the mode and the tools of *choice*; in chat they are nested under `allowed_tools`."""
    nested = choice.get(ALLOWED_TOOLS)
    return nested if isinstance(nested, dict) else choice


def _allowed_in(body: Body) -> list[Any]:
    listed, tools = _settings_of(body["tool_choice"]).get("tools"), body.get("tools")
    if not isinstance(listed, list) or not isinstance(tools, list):
        return []
    allowed = [_identity(tool) for tool in listed]
    return [tool for tool in tools if _identity(tool) in allowed]


def _identity(tool: Any) -> tuple[Any, Any]:
    """Return the type and the name of *tool*, in the form of either protocol."""
    if not isinstance(tool, dict):
        return None, tool
    kind = tool.get("type")
    inner = tool.get(kind) if isinstance(kind, str) else None
    named = inner if isinstance(inner, dict) else tool
    return kind, named.get("name") or named.get("server_label")
