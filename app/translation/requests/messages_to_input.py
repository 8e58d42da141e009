"""
Translate chat messages to Responses: instructions and input items.

The text of the system and developer messages at the start becomes `instructions`, joined by
newlines. Later ones stay in place: moved, they would change the start of the prompt with every
note, and upstreams could not use their caches. Echoed reasoning and empty messages are dropped.

Source: https://platform.openai.com/docs/api-reference/chat/create (messages)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from app.openai_types.responses import ContentPart, ResponsesItem
from app.translation.requests.chat_tool_names import short_id
from app.translation.requests.parts import as_list, input_part, invalid, output_part, output_text, text_of
from schemas.call_ids import call_id_of

Message = Mapping[str, Any]

SHOWN_TYPES = ("image_url", "file", "input_image", "input_file")  # parts of a tool's output other than text


def input_from_messages(messages: list[Any]) -> tuple[str, list[ResponsesItem]]:
    """
    Return (instructions, input items) for chat *messages*.

    Raises InvalidRequest with param `messages` for content without a counterpart.
    """
    reader = _Reader()
    for index, message in enumerate(messages):
        reader.read(message, f"messages[{index}]")
    return "\n".join(reader.instructions), reader.items


class _Reader:
    """Translates a conversation; remembers the call ids that later messages refer to."""

    def __init__(self) -> None:
        self.instructions: list[str] = []
        self.items: list[ResponsesItem] = []
        self._custom_ids: set[str] = set()  # ids of custom calls, whose outputs have their own item type
        self._function_id = ""  # generated id of the last `function_call` (deprecated), which has none
        self._function_count = 0

    def read(self, message: Any, path: str) -> None:
        role = message.get("role") if isinstance(message, dict) else None
        read = _ROLES.get(role) if isinstance(role, str) else None
        if read is None:
            raise invalid(path, "'role' must be system, developer, user, assistant or tool")
        read(self, message, path)

    def system(self, message: Message, path: str) -> None:
        texts = [text_of(part) for part in as_list(message.get("content"))]
        if None in texts:
            raise invalid(path, f"a {message['role']} message takes text only")
        given = [text for text in texts if text]
        if not self.items:
            self.instructions += given
        elif given:
            parts: list[ContentPart] = [{"type": "input_text", "text": text} for text in given]
            self.items.append({"role": message["role"], "content": parts})

    def user(self, message: Message, path: str) -> None:
        parts = [input_part(part, path) for part in as_list(message.get("content"))]
        if parts:
            self.items.append({"role": "user", "content": parts})

    def assistant(self, message: Message, path: str) -> None:
        if message.get("audio") is not None:
            raise invalid(path, "a response given in audio cannot be sent to this account")
        converted = [output_part(part, path) for part in as_list(message.get("content"))]
        parts = [part for part in converted if part and (part.get("text") or part.get("refusal"))]
        refusal = message.get("refusal")
        if isinstance(refusal, str) and refusal:
            parts.append({"type": "refusal", "refusal": refusal})
        if parts:
            self.items.append({"role": "assistant", "content": parts})
        for call in as_list(message.get("tool_calls")):
            self.items.append(self._call(call, path))
        if message.get("function_call") is not None:
            self.items.append(self._legacy_call(message["function_call"], path))

    def _call(self, call: Any, path: str) -> ResponsesItem:
        call_id = call.get("id") if isinstance(call, dict) else None
        if not isinstance(call_id, str) or not call_id:
            raise invalid(path, "a tool call needs an 'id'")
        call_id, custom = short_id(call_id), call.get("custom")
        if call.get("type") == "custom" and isinstance(custom, dict):
            self._custom_ids.add(call_id)
            return {"type": "custom_tool_call", "call_id": call_id, **_texts(custom, "input", path)}
        function = _texts(call.get("function"), "arguments", path)
        return {"type": "function_call", "call_id": call_id, **function}

    def _legacy_call(self, call: Any, path: str) -> ResponsesItem:
        self._function_count += 1
        self._function_id = f"call_function_{self._function_count}"
        return {"type": "function_call", "call_id": self._function_id, **_texts(call, "arguments", path)}

    def tool(self, message: Message, path: str) -> None:
        call_id = call_id_of(message)
        if call_id is None:
            raise invalid(path, "a tool message needs the 'tool_call_id' that it answers")
        call_id = short_id(call_id)
        kind = "custom_tool_call_output" if call_id in self._custom_ids else "function_call_output"
        output = _output(message.get("content"), path)
        self.items.append({"type": kind, "call_id": call_id, "output": output})

    def function(self, message: Message, path: str) -> None:
        if not self._function_id:
            raise invalid(path, "a function message must follow a 'function_call'")
        output = message.get("content") or ""
        self.items.append({"type": "function_call_output", "call_id": self._function_id, "output": output})


def _texts(call: Any, payload: Literal["arguments", "input"], path: str) -> ResponsesItem:
    """Return the name of a call and the value of its field *payload*; both must be strings."""
    if not isinstance(call, dict) or not isinstance(call.get("name"), str) or not call["name"]:
        raise invalid(path, "a tool call needs a 'name'")
    if not isinstance(call.get(payload), str):
        raise invalid(path, f"the '{payload}' of a tool call must be a string")
    texts: ResponsesItem = {"name": call["name"]}
    texts[payload] = call[payload]
    return texts


def _output(content: Any, path: str) -> str | list[ContentPart]:
    """Return the content of a tool message as an output: text as a string, images and files as parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid(path, "the 'content' of a tool message must be a string or an array of parts")
    if parts := shown_parts(content, path):
        return parts
    if content and all(text_of(part) is None for part in content):
        raise invalid(path, "a tool message takes text, images and files only")
    return "".join(map(output_text, content))


def shown_parts(content: list[Any], path: str) -> list[ContentPart]:
    """Return the parts of a tool's *content*; empty if none is an image or a file."""
    shown = [isinstance(part, dict) and part.get("type") in SHOWN_TYPES for part in content]
    if not any(shown):
        return []
    return [
        input_part(part if is_shown or text_of(part) is not None else output_text(part), path)
        for part, is_shown in zip(content, shown, strict=True)
    ]


_ROLES = {
    "system": _Reader.system,
    "developer": _Reader.system,
    "user": _Reader.user,
    "assistant": _Reader.assistant,
    "tool": _Reader.tool,
    "function": _Reader.function,
}
