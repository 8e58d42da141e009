"""
`tools` and `tool_choice` of both protocols.

Chat nests the definition of a tool, `{type: function, function: {name}}`; Responses does not, `{type:
function, name}`. A malformed tool is refused, because dropping it would silently change the model's
behaviour.

Source: https://platform.openai.com/docs/api-reference/chat/create (`tools`, `tool_choice`) and
https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError

from schemas.fields import Json, is_name
from schemas.validation_errors import invalid
from schemas.work_bounds import MAX_TOOLS

BUILT_IN = ("file_search", "code_interpreter", "computer_use", "computer_use_preview", "image_generation")
NAMED = ("function", "custom")
NAMELESS = ("web_search", "web_search_preview", *BUILT_IN)
CHOICES = ("none", "auto", "required")


class ResponsesTools(Json):
    """An array of flat tools. Functions and custom tools need a name; the upstream runs the others."""

    types, expected = (list,), "an array of tools"
    refused: ClassVar[tuple[str, ...]] = BUILT_IN

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if len(super()._deserialize(value, attr, data)) > MAX_TOOLS:
            raise invalid(f"must have at most {MAX_TOOLS} tools")
        for index, tool in enumerate(value):
            try:
                self._check(tool, _kind(tool))
            except ValidationError as error:
                raise ValidationError({index: error.messages}) from None
        self._refuse_built_in(value)
        return value

    def _refuse_built_in(self, tools: list[dict[str, Any]]) -> None:
        """Raise an error for the list, not for the tool, which is valid but not supported here."""
        for tool in tools:
            if tool.get("type") in self.refused:
                raise invalid(f"must not have {tool['type']}: this built-in tool is not supported")

    def _check(self, tool: dict[str, Any], kind: str) -> None:
        if kind in NAMED and not is_name(tool.get("name")):
            raise invalid("must be a non-empty string", "name")


class ChatTools(ResponsesTools):
    """An array of tools, nested or flat. All except web search and built-in tools need a name."""

    def _check(self, tool: dict[str, Any], kind: str) -> None:
        nested, *place = _nested(tool, kind)
        if kind not in NAMELESS and not is_name(nested.get("name")):
            raise invalid("must be a non-empty string", *place, "name")


class ResponsesToolChoice(Json):
    """Which tools the model may or must call: a string, or an object that names the forced tool."""

    types, expected = (str, dict), "a string or an object"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        choice = super()._deserialize(value, attr, data)
        if type(choice) is str and choice not in CHOICES:
            raise invalid(f"must be {' or '.join(CHOICES)}, or an object")
        if type(choice) is dict and choice.get("type") in NAMED and not is_name(self._name(choice)):
            raise invalid(f"must name the {choice['type']} tool that it forces")
        return choice

    def _name(self, choice: dict[str, Any]) -> Any:
        return choice.get("name")


class ChatToolChoice(ResponsesToolChoice):
    def _name(self, choice: dict[str, Any]) -> Any:
        return _nested(choice, choice["type"])[0].get("name")


class Functions(Json):
    """The deprecated form of chat's `tools`: an array of functions."""

    types, expected = (list,), "an array of functions"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if len(super()._deserialize(value, attr, data)) > MAX_TOOLS:
            raise invalid(f"must have at most {MAX_TOOLS} functions")
        for index, function in enumerate(value):
            if type(function) is not dict:
                raise invalid("must be an object", index)
            if not is_name(function.get("name")):
                raise invalid("must be a non-empty string", index, "name")
        return value


class FunctionCall(Json):
    """The deprecated form of chat's `tool_choice`."""

    types, expected = (str, dict), "a string or an object"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        choice = super()._deserialize(value, attr, data)
        if type(choice) is str and choice not in ("none", "auto"):
            raise invalid("must be none or auto, or an object")
        if type(choice) is dict and not is_name(choice.get("name")):
            raise invalid("must name the function that it forces")
        return choice


def _kind(tool: Any) -> str:
    if type(tool) is not dict:
        raise invalid("must be an object")
    kind = tool.get("type")
    if not isinstance(kind, str | None):
        raise invalid("must be a string", "type")
    return "function" if kind is None else kind


def _nested(holder: dict[str, Any], kind: str) -> tuple[Any, ...]:
    """Return the object that holds the name of a chat tool or choice, and its key if it is nested."""
    nest = "custom" if kind == "custom" else "function"
    return (holder[nest], nest) if type(holder.get(nest)) is dict else (holder,)
