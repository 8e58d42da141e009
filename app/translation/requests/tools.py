"""
Translate tools and tool choices: nested in chat, flat in Responses.

A Responses `namespace` contains tools. Chat has no namespaces, so each tool is renamed to
`<namespace>__<name>`, and `qualified_names` maps the names back.

Source: https://platform.openai.com/docs/api-reference/responses/create (tools, tool_choice)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from app.errors import InvalidRequest
from app.translation.requests.parts import as_list
from app.translation.types.chat import ChatTool, CustomDefinition, FunctionDefinition, Grammar
from app.translation.types.responses import ApproximateLocation, ResponsesTool

WEB_SEARCH_TYPES = ("web_search", "web_search_preview")
CHOICES = ("none", "auto", "required")
FUNCTION_FIELDS = ("name", "description", "parameters", "strict")
CUSTOM_FIELDS = ("name", "description", "format")
NO_PARAMETERS = {"type": "object", "properties": {}}


def flat_tools(tools: list[Any]) -> list[ResponsesTool]:
    """Return chat *tools* as Responses tools; raises InvalidRequest with param `tools[i]`."""
    return [_flat_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]


def _flat_tool(tool: Any, path: str) -> ResponsesTool:
    kind = tool.get("type", "function") if isinstance(tool, dict) else None
    if kind in WEB_SEARCH_TYPES:
        search: ResponsesTool = tool
        return {**search, "type": "web_search"}
    flat = unnested(tool) if kind is not None else None
    if flat is None or not isinstance(flat.get("name"), str) or not flat["name"]:
        raise InvalidRequest(f"{path}: a tool needs a type and a name", param=path)
    if flat["type"] == "function":
        flat.setdefault("parameters", NO_PARAMETERS)
        if not isinstance(flat.get("strict"), bool):
            flat["strict"] = False  # the default in chat; Responses tries to be strict
    return flat


def unnested(tool: Any) -> ResponsesTool:
    """Return *tool* in the flat form; a flat tool is copied."""
    if isinstance(tool.get("function"), dict) and tool.get("type", "function") == "function":
        return cast(ResponsesTool, {"type": "function", **_given(tool["function"], FUNCTION_FIELDS)})
    if isinstance(tool.get("custom"), dict) and tool.get("type") == "custom":
        flat = {"type": "custom", **_given(tool["custom"], CUSTOM_FIELDS)}
        grammar = flat["format"].get("grammar") if isinstance(flat.get("format"), dict) else None
        if isinstance(grammar, dict):
            flat["format"] = {"type": "grammar", **grammar}
        return cast(ResponsesTool, flat)
    known: ResponsesTool = tool
    return {"type": "function", **known}


def _given(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields *names* that have a value; a `strict` that is not a boolean is dropped."""
    return {
        name: fields[name]
        for name in names
        if fields.get(name) is not None and (name != "strict" or isinstance(fields[name], bool))
    }


def web_search_tool(options: Mapping[str, Any]) -> ResponsesTool:
    """Return chat's `web_search_options` as a Responses tool."""
    tool: ResponsesTool = {"type": "web_search"}
    if options.get("search_context_size") is not None:
        tool["search_context_size"] = options["search_context_size"]
    location = options.get("user_location")
    if isinstance(location, dict):
        approximate: ApproximateLocation | None = location.get("approximate")
        tool["user_location"] = {
            "type": "approximate",
            **(approximate if isinstance(approximate, dict) else {}),
        }
    return tool


def flat_choice(choice: Any) -> Any:
    """Return a chat `tool_choice` for Responses."""
    if isinstance(choice, str) and choice in CHOICES:
        return choice
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in WEB_SEARCH_TYPES:
        return {"type": "web_search"}
    if kind in ("function", "custom"):
        return {"type": kind, "name": _chosen_name(choice, kind)}
    if kind == "allowed_tools":
        nested = choice.get("allowed_tools")
        allowed = nested if isinstance(nested, dict) else choice
        tools = [flat_choice(tool) for tool in as_list(allowed.get("tools"))]
        return {"type": kind, "mode": allowed.get("mode", "auto"), "tools": tools}
    if kind is None:
        raise InvalidRequest("'tool_choice' must be none, auto, required or an object", param="tool_choice")
    return choice


def _chosen_name(choice: Mapping[str, Any], kind: str) -> str:
    nested = choice.get(kind)
    name = nested.get("name") if isinstance(nested, dict) else choice.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"'tool_choice' forces a {kind} without naming it", param="tool_choice")
    return name


def nested_tools(tools: list[Any]) -> list[ChatTool]:
    """Return Responses *tools* as chat tools; a hosted tool raises InvalidRequest with param `tools`."""
    return [_nested_tool(unnested(tool), namespace) for tool, namespace in _walk(tools)]


def _walk(tools: Any) -> Iterator[tuple[ResponsesTool, str]]:
    """Yield (tool, its namespace or "")."""
    tool: ResponsesTool
    for tool in as_list(tools):
        if not isinstance(tool, dict):
            raise InvalidRequest("a tool must be an object", param="tools")
        if tool.get("type") == "namespace":
            yield from ((inner, str(tool.get("name", ""))) for inner, _ in _walk(tool.get("tools")))
        else:
            yield tool, ""


def _nested_tool(tool: ResponsesTool, namespace: str) -> ChatTool:
    name = qualified(namespace, tool.get("name", ""))
    if tool["type"] == "function":
        function = cast(FunctionDefinition, {**_given(tool, FUNCTION_FIELDS), "name": name})
        return {"type": "function", "function": function}
    if tool["type"] != "custom":
        raise InvalidRequest(f"a tool of type '{tool['type']}' cannot be sent to this account", param="tools")
    custom = cast(CustomDefinition, {**_given(tool, CUSTOM_FIELDS), "name": name})
    form: Any = custom.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar":
        grammar = cast(Grammar, {key: form[key] for key in ("syntax", "definition") if key in form})
        custom["format"] = {"type": "grammar", "grammar": grammar}
    return {"type": "custom", "custom": custom}


def qualified(namespace: Any, name: str) -> str:
    """Return the chat name of a tool, which may be in a namespace."""
    return f"{namespace}__{name}" if namespace else name


def qualified_names(tools: list[Any]) -> dict[str, tuple[str, str]]:
    """Return {qualified name: (namespace, name)} for every tool inside a namespace of *tools*."""
    inner = ((namespace, tool.get("name", "")) for tool, namespace in _walk(tools) if namespace)
    return {qualified(namespace, name): (namespace, name) for namespace, name in inner}


def nested_choice(choice: Any) -> Any:
    """Return a Responses `tool_choice` for chat."""
    if isinstance(choice, str):
        return choice
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in ("function", "custom"):
        return {"type": kind, kind: {"name": qualified(choice.get("namespace"), _chosen_name(choice, kind))}}
    if kind == "allowed_tools":
        tools = [nested_choice(tool) for tool in as_list(choice.get("tools"))]
        return {"type": kind, "allowed_tools": {"mode": choice.get("mode", "auto"), "tools": tools}}
    raise InvalidRequest(f"a choice of type '{kind}' cannot be sent to this account", param="tool_choice")
