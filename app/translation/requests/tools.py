"""
Translate tools and tool choices: nested in chat, flat in Responses.

Tools that the upstream runs exist only in Responses; a translation to chat omits them.
Custom tools and `local_shell` become functions where servers know only those; see `function_calls`
for their calls, and `chat_tool_names` for their names.

Source: https://platform.openai.com/docs/api-reference/responses/create (tools, tool_choice)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from app.errors import InvalidRequest
from app.openai_types.chat import ChatTool, CustomDefinition, CustomFormat, FunctionDefinition
from app.openai_types.responses import ApproximateLocation, ResponsesTool
from app.translation.requests.chat_tool_names import (
    CLIENT_TOOLS,
    CUSTOM,
    FUNCTION,
    LOCAL_SHELL,
    ChatToolNames,
    ToolRef,
    is_client_tool,
    ref_of,
    walk,
)
from app.translation.requests.function_calls import INPUT_PARAMETERS, SHELL_FUNCTION
from app.translation.requests.parts import as_list

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
            flat["strict"] = False  # the default in chat; the default in Responses is strict
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
    """Return those of the fields *names* that have a value, without a `strict` that is not a boolean."""
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


def nested_tools(tools: list[Any], names: ChatToolNames, *, takes_custom: bool) -> list[ChatTool]:
    """
    Return those of the Responses *tools* that the client runs, as chat tools.

    Custom tools become functions unless *takes_custom*. Raises InvalidRequest with param `tools`.
    """
    if not all(isinstance(tool, dict) for tool in tools):
        raise InvalidRequest("a tool must be an object", param="tools")
    return [
        _nested_tool(tool, names.name(ref_of(tool, namespace)), takes_custom=takes_custom)
        for tool, namespace in walk(tools)
        if is_client_tool(tool)
    ]


def hosted_types(tools: Any) -> list[str]:
    """Return the types of the Responses *tools* that the upstream runs, without duplicates."""
    found = (tool.get("type") for tool, _ in walk(tools) if not is_client_tool(tool))
    return list(dict.fromkeys(kind for kind in found if isinstance(kind, str)))


def _nested_tool(tool: ResponsesTool, name: str, *, takes_custom: bool) -> ChatTool:
    if tool.get("type") == LOCAL_SHELL:
        return {"type": "function", "function": {"name": name, **SHELL_FUNCTION}}
    tool = unnested(tool)
    if tool["type"] == "function":
        function = cast(FunctionDefinition, {**_given(tool, FUNCTION_FIELDS), "name": name})
        return {"type": "function", "function": function}
    custom = cast(CustomDefinition, {**_given(tool, CUSTOM_FIELDS), "name": name})
    form: Any = custom.get("format")
    if not takes_custom:
        return {"type": "function", "function": _input_function(name, custom.get("description"), form)}
    if isinstance(form, dict) and form.get("type") == "grammar":
        custom["format"] = cast(CustomFormat, _nested_grammar(form))
    return {"type": "custom", "custom": custom}


def is_flat(tool: Any) -> bool:
    """Return whether a chat *tool*, or a choice, has the form of Responses, which chat servers refuse."""
    if not isinstance(tool, dict):
        return False
    kind = tool.get("type", FUNCTION)
    return kind in (FUNCTION, CUSTOM) and "name" in tool and not isinstance(tool.get(kind), dict)


def nested_tool(tool: Any) -> Any:
    """Return a chat *tool* in the form of chat; its definition has every key."""
    if not is_flat(tool):
        return tool
    kind = tool.get("type", FUNCTION)
    outside = ("type", "cache_control")
    definition = {key: value for key, value in tool.items() if key not in outside}
    if isinstance(form := definition.get("format"), dict) and form.get("type") == "grammar":
        definition["format"] = _nested_grammar(form)
    return {"type": kind, kind: definition, **{key: tool[key] for key in outside[1:] if key in tool}}


def nested_chat_choice(choice: Any) -> Any:
    """Return a chat `tool_choice` in the form of chat."""
    if is_flat(choice):
        return {"type": choice.get("type", FUNCTION), choice.get("type", FUNCTION): {"name": choice["name"]}}
    if not isinstance(choice, dict) or choice.get("type") != "allowed_tools":
        return choice
    nested = choice.get("allowed_tools")
    allowed = nested if isinstance(nested, dict) else {key: choice[key] for key in choice if key != "type"}
    tools = [nested_chat_choice(tool) for tool in as_list(allowed.get("tools"))]
    return {"type": "allowed_tools", "allowed_tools": {**allowed, "tools": tools}}


def _nested_grammar(form: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(form.get("grammar"), dict):
        return {**form}
    grammar = {key: form[key] for key in ("syntax", "definition") if key in form}
    return {"type": "grammar", "grammar": grammar}


def _input_function(name: str, description: Any, form: Any) -> FunctionDefinition:
    """Return the function that replaces a custom tool; its description includes the grammar of *form*."""
    texts = [description] if isinstance(description, str) and description else []
    if isinstance(form, dict) and isinstance(form.get("definition"), str):
        syntax = form.get("syntax")
        of_syntax = f" of the syntax {syntax}" if isinstance(syntax, str) else ""
        texts.append(f"The input must match this grammar{of_syntax}:\n{form['definition']}")
    function: FunctionDefinition = {"name": name}
    if texts:
        function["description"] = "\n\n".join(texts)
    return {**function, "parameters": INPUT_PARAMETERS}


def nested_choice(choice: Any, names: ChatToolNames, *, takes_custom: bool) -> Any:
    """Return a Responses `tool_choice` for chat; raises InvalidRequest for a tool that the upstream runs."""
    if isinstance(choice, str):
        return choice
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in CLIENT_TOOLS:
        name = LOCAL_SHELL if kind == LOCAL_SHELL else _chosen_name(choice, kind)
        namespace = choice.get("namespace")
        ref = ToolRef(kind, namespace if isinstance(namespace, str) else "", name)
        kind = kind if kind == CUSTOM and takes_custom else FUNCTION
        return {"type": kind, kind: {"name": names.name(ref)}}
    if kind == "allowed_tools":
        tools = [
            nested_choice(tool, names, takes_custom=takes_custom)
            for tool in as_list(choice.get("tools"))
            if isinstance(tool, dict) and is_client_tool(tool)
        ]
        return {"type": kind, "allowed_tools": {"mode": choice.get("mode", "auto"), "tools": tools}}
    raise InvalidRequest(f"a choice of type '{kind}' cannot be sent to this account", param="tool_choice")


def required_hosted_tools(choice: Any, tools: list[Any]) -> str | None:
    """
    Return the field by which a Responses request cannot do without tools that the upstream runs, else None.

    If the client has tools as well, they can be left out unless *choice* forces one. If they are the only
    tools, the request depends on them.
    """
    if isinstance(choice, dict):
        kind = choice.get("type")
        allowed = as_list(choice.get("tools")) if kind == "allowed_tools" else [choice]
        if not any(isinstance(tool, dict) and is_client_tool(tool) for tool in allowed):
            return "tool_choice"
    if choice == "none":
        return None
    found = [is_client_tool(tool) for tool, _ in walk(tools)]
    return "tools" if found and not any(found) else None
