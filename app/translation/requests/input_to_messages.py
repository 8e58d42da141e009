"""
Translate Responses input items to chat messages: the inverse of `messages_to_input`.

An assistant's message and its following calls become one chat message. Reasoning and traces
of hosted tools are dropped; references to stored data (items, compactions, files) are refused.

Source: https://platform.openai.com/docs/api-reference/responses/create (input)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.errors import InvalidRequest
from app.translation.requests.parts import as_list, chat_part, invalid, text_of
from app.translation.requests.tools import qualified
from app.translation.types.chat import CalledFunction, ChatMessage, ChatPart, ChatToolCall, CustomCall

Item = dict[str, Any]

SKIPPED_TYPES = (
    "reasoning",
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_list_tools",
    "mcp_call",
    "tool_search_call",
    "tool_search_output",
    "configuration_update",
    "additional_tools",  # its tools are added to the request's
)


def messages_from_input(items: list[Any]) -> list[ChatMessage]:
    """Return chat messages for *items*; raises InvalidRequest with param `input`."""
    messages: list[ChatMessage] = []
    for index, item in enumerate(items):
        path = f"input[{index}]"
        kind = item.get("type", "message") if isinstance(item, dict) else None
        if kind in SKIPPED_TYPES:
            continue
        write = _WRITERS.get(kind) if isinstance(kind, str) else None
        if write is None:
            raise invalid(path, f"an item of type '{kind}' cannot be sent to this account")
        write(messages, item, path)
    return messages


def _message(messages: list[ChatMessage], item: Item, path: str) -> None:
    role, parts = item.get("role"), as_list(item.get("content"))
    if role == "assistant":
        messages.append(_assistant_message(parts, path))
    elif role in ("system", "developer"):  # every server knows `system`
        messages.append({"role": "system", "content": "\n".join(_texts(parts, path))})
    elif role == "user":
        messages.append({"role": "user", "content": _user_content(parts, path)})
    else:
        raise invalid(path, "'role' must be system, developer, user or assistant")


def _assistant_message(parts: list[Any], path: str) -> ChatMessage:
    refusals = [p["refusal"] for p in parts if isinstance(p, dict) and isinstance(p.get("refusal"), str)]
    texts = _texts([p for p in parts if not (isinstance(p, dict) and p.get("type") == "refusal")], path)
    message: ChatMessage = {"role": "assistant", "content": "".join(texts) if texts or not refusals else None}
    if refusals:
        message["refusal"] = "".join(refusals)
    return message


def _texts(parts: list[Any], path: str) -> list[str]:
    texts = [text_of(part) for part in parts]
    if None in texts:
        raise invalid(path, "such content cannot be sent to this account")
    return [text for text in texts if text is not None]


def _user_content(parts: list[Any], path: str) -> str | list[ChatPart]:
    """Return a single text as a string, which every server accepts, and other content as parts."""
    content = [chat_part(part, path) for part in parts]
    if not content:
        return ""
    return content[0]["text"] if len(content) == 1 and set(content[0]) == {"type", "text"} else content


def _function_call(messages: list[ChatMessage], item: Item, path: str) -> None:
    function: CalledFunction = {"name": _name(item), "arguments": item.get("arguments") or ""}
    _add_call(messages, {"id": _call_id(item, path), "type": "function", "function": function})


def _custom_call(messages: list[ChatMessage], item: Item, path: str) -> None:
    custom: CustomCall = {"name": _name(item), "input": item.get("input") or ""}
    _add_call(messages, {"id": _call_id(item, path), "type": "custom", "custom": custom})


def _name(item: Item) -> str:
    return qualified(item.get("namespace"), item.get("name", ""))


def _call_id(item: Item, path: str) -> str:
    call_id = item.get("call_id")
    if not isinstance(call_id, str) or not call_id:
        raise invalid(path, "'call_id' must be a string")
    return call_id


def _add_call(messages: list[ChatMessage], call: ChatToolCall) -> None:
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    messages[-1].setdefault("tool_calls", []).append(call)


def _output(messages: list[ChatMessage], item: Item, path: str) -> None:
    output = item.get("output")
    if not isinstance(output, str):  # chat accepts only text here: images and files are lost
        output = "".join(text for part in as_list(output) if (text := text_of(part)) is not None)
    messages.append({"role": "tool", "tool_call_id": _call_id(item, path), "content": output})


_WRITERS: dict[str, Callable[[list[ChatMessage], Item, str], None]] = {
    "message": _message,
    "function_call": _function_call,
    "custom_tool_call": _custom_call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
}


def added_tools(items: list[Any]) -> list[Any]:
    """Return the tools in `additional_tools` items."""
    return [
        tool
        for item in items
        if isinstance(item, dict) and item.get("type") == "additional_tools"
        for tool in as_list(item.get("tools"))
    ]


def input_items(value: Any) -> list[Any]:
    """Return a request's `input` as items; a string becomes a user message."""
    if isinstance(value, str):
        return [{"role": "user", "content": [{"type": "input_text", "text": value}]}]
    if not isinstance(value, list):
        raise InvalidRequest("'input' must be a string or an array", param="input")
    return value
