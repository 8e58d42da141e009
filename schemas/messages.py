"""
Chat messages, checked together if all are plain text, else in one loop, which is faster than nested schemas.

Source: https://platform.openai.com/docs/api-reference/chat/create (`messages`)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.call_ids import call_id_of
from schemas.fields import Json, is_name
from schemas.parts import PARTS, check_content, count_parts
from schemas.plain_messages import roles_of_plain
from schemas.validation_errors import invalid
from schemas.work_bounds import MAX_ITEMS, MAX_PARTS

Message = dict[str, Any]

NAMING_ROLES = {"tool", "function"}  # their messages need a field besides role and content


class Messages(Json):
    """
    An array of chat messages, at least one.

    Returned without null keys except `content`: upstreams refuse the `tool_calls: null` that SDKs send back.
    A tool message must answer a call of an earlier assistant message, unless the body has the field named
    *continues*, which refers to a stored conversation. The deprecated role `function` is accepted only with
    *functions*.
    """

    types, expected = (list,), "an array of messages"

    def __init__(self, continues: str | None = None, *, functions: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.continues = continues
        self.roles = tuple(role for role in PARTS if functions or role != "function")
        self.plain_roles = frozenset(self.roles) - NAMING_ROLES

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        messages = super()._deserialize(value, attr, data)
        if not messages:
            raise invalid("must have at least one message")
        if len(messages) > MAX_ITEMS:
            raise invalid(f"must have at most {MAX_ITEMS} messages")
        if (roles := roles_of_plain(messages)) is not None and roles <= self.plain_roles:
            return messages
        if count_parts(messages, ("content",)) > MAX_PARTS:
            raise invalid(f"must have at most {MAX_PARTS} content parts in all")
        return _check_messages(messages, self.roles, complete=self.continues not in (data or {}))


def _check_messages(messages: list[Any], roles: tuple[str, ...], *, complete: bool) -> list[Message]:
    checked = []
    calls: set[str] = set()
    for index, message in enumerate(messages):
        try:
            message = _without_nulls(message, roles)
            role, content = message["role"], message.get("content")
            if type(content) is not str:  # saves a call for most messages
                check_content(role, content)
            if role == "assistant":
                if "tool_calls" in message or "refusal" in message:
                    calls.update(_call_ids(message))
            elif role == "tool":
                _check_tool_message(message, calls if complete else None)
            elif role == "function" and not is_name(message.get("name")):
                raise invalid("must be a non-empty string", "name")
        except ValidationError as error:
            raise ValidationError({index: error.messages}) from None
        checked.append(message)
    return checked


def _without_nulls(message: Any, roles: tuple[str, ...]) -> Message:
    """Return *message* without null keys; its role must be one of *roles*."""
    if type(message) is not dict:
        raise invalid("must be an object")
    role = message.get("role")
    if type(role) is not str or role not in roles:
        raise invalid(f"must be {' or '.join(roles)}", "role")
    if None in message.values():
        return {key: value for key, value in message.items() if value is not None or key == "content"}
    return message


def _check_tool_message(message: Message, calls: set[str] | None) -> None:
    call_id = call_id_of(message)
    if call_id is None:
        raise invalid("must be a non-empty string", "tool_call_id")
    if calls is not None and call_id not in calls:
        raise invalid("matches no tool call of an earlier assistant message", "tool_call_id")


def _call_ids(message: Message) -> list[str]:
    """Check an assistant message's refusal and tool calls, and return the ids of its calls."""
    if type(message.get("refusal", "")) is not str:
        raise invalid("must be a string", "refusal")
    calls = message.get("tool_calls", [])
    if type(calls) is not list:
        raise invalid("must be an array", "tool_calls")
    ids = []
    for index, call in enumerate(calls):
        try:
            ids.append(_call_id(call))
        except ValidationError as error:
            raise ValidationError({"tool_calls": {index: error.messages}}) from None
    return ids


def _call_id(call: Any) -> str:
    """Return the id of `{id, function: {name, arguments}}` or `{id, type: custom, custom: {name, input}}`."""
    if type(call) is not dict:
        raise invalid("must be an object")
    kind, text_field = ("custom", "input") if call.get("type") == "custom" else ("function", "arguments")
    body = call.get(kind)
    if type(body) is not dict:
        raise invalid("must be an object", kind)
    if not is_name(body.get("name")):
        raise invalid("must be a non-empty string", kind, "name")
    if type(body.get(text_field)) is not str:
        raise invalid("must be a string", kind, text_field)
    call_id = call.get("id")
    if not is_name(call_id):
        raise invalid("must be a non-empty string", "id")
    return call_id
