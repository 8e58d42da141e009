"""
Translate Responses input items to chat messages: the inverse of `messages_to_input`.

An assistant's message and its following calls become one chat message, and the outputs of its
calls follow it directly, wherever they are in the input: chat servers refuse any other order. The
images and files of outputs follow them in a user message, since tool messages have only text.
Reasoning goes back to the server under the key that it used.

Dropped are traces of hosted tools, and reasoning that only another account can read; references to
stored data (items, compactions, files) are refused, see `fits_chat`.

Source: https://platform.openai.com/docs/api-reference/responses/create (input)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.openai_types.chat import CalledFunction, ChatMessage, ChatPart, ChatToolCall, CustomCall
from app.translation.requests.carried_state import ReasoningKey, decode_state, is_carried
from app.translation.requests.chat_tool_names import (
    CALLED_KINDS,
    FUNCTION,
    LOCAL_SHELL,
    ChatToolNames,
    ToolRef,
    short_id,
)
from app.translation.requests.function_calls import action_arguments, input_arguments
from app.translation.requests.input_items import TOOL_LISTS
from app.translation.requests.parts import as_list, chat_part, fits_chat_part, invalid, text_of
from app.translation.requests.reasoning_details import add_details

Item = dict[str, Any]

SKIPPED_TYPES = (
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_list_tools",
    "mcp_call",
    "tool_search_call",
    "configuration_update",
)
OTHER_TYPES = (*SKIPPED_TYPES, *TOOL_LISTS, "reasoning")
INSTRUCTING_ROLES = ("system", "developer")
MESSAGE_ROLES = ("user", "assistant", *INSTRUCTING_ROLES)
NO_ARGUMENTS = "{}"  # servers parse the arguments, which clients may leave empty


def messages_from_input(
    items: list[Any], names: ChatToolNames | None = None, *, takes_custom: bool = True
) -> list[ChatMessage]:
    """
    Return chat messages for *items*, with tools under *names*; raises InvalidRequest with param `input`.

    Custom calls become function calls unless *takes_custom*.
    """
    writer = _Writer(names or ChatToolNames([]), takes_custom=takes_custom)
    for index, item in enumerate(items):
        path = f"input[{index}]"
        kind = item.get("type", "message") if isinstance(item, dict) else None
        write = _WRITERS.get(kind) if isinstance(kind, str) else None
        if write is not None:
            write(writer, item, path)
        elif kind not in OTHER_TYPES:
            raise invalid(path, f"an item of type '{kind}' cannot be sent to this account")
    return writer.messages()


class _Turn:
    """A message, and what must follow it: the outputs of its calls, then their images and files."""

    __slots__ = ("message", "outputs", "parts")

    def __init__(self, message: ChatMessage) -> None:
        self.message = message
        self.outputs: list[ChatMessage] = []
        self.parts: list[ChatPart] = []


class _Writer:
    """Writes a conversation; remembers the calls that later items refer to."""

    def __init__(self, names: ChatToolNames, *, takes_custom: bool) -> None:
        self._names = names
        self._takes_custom = takes_custom
        self._turns: list[_Turn] = []
        self._calls: dict[str, _Turn] = {}  # by call id
        self._extras: dict[str, Any] = {}  # `extra_content` of calls, by call id
        self._reasoning: list[str] = []  # reasoning of the next message or call
        self._reasoning_key: ReasoningKey | None = None
        self._details: list[Any] = []  # `reasoning_details` of the next message or call

    def messages(self) -> list[ChatMessage]:
        messages: list[ChatMessage] = []
        for turn in self._turns:
            messages += [turn.message, *turn.outputs]
            if turn.parts:
                messages.append({"role": "user", "content": turn.parts})
        if self._extras:
            self._add_extras(messages)
        if self._reasoning_key == "reasoning_content":
            _complete_reasoning(messages)
        return messages

    def _add_extras(self, messages: list[ChatMessage]) -> None:
        for message in messages:
            for call in message.get("tool_calls", ()):
                if call["id"] in self._extras:
                    call["extra_content"] = self._extras[call["id"]]

    def message(self, item: Item, path: str) -> None:
        role, parts = item.get("role"), as_list(item.get("content"))
        if role == "assistant":
            self._turns.append(_Turn(_assistant_message(parts, path)))
            self._add_reasoning()
        elif role in INSTRUCTING_ROLES:  # every server knows `system`
            self._turns.append(_Turn({"role": "system", "content": "\n".join(_texts(parts, path))}))
        elif role == "user":
            self._reasoning, self._details = [], []
            self._turns.append(_Turn({"role": "user", "content": _user_content(parts, path)}))
        else:
            raise invalid(path, "'role' must be system, developer, user or assistant")

    def reasoning(self, item: Item, path: str) -> None:
        texts = [text for name in ("content", "summary") if (text := _reasoning_text(item.get(name)))]
        if is_carried(item):
            state = decode_state(item)
            self._extras.update(
                (short_id(call_id), extra) for call_id, extra in state.get("calls", {}).items()
            )
            texts = [state["text"]] if state.get("text") else texts
            if details := state.get("details"):
                self._details += details
                texts = texts if "key" in state else []  # the details contain the text
            if late := state.get("late_details"):
                self._add_late_details(late)
            key: ReasoningKey = state.get("key", "reasoning_content")
        elif item.get("encrypted_content"):
            return  # it was encrypted by another account
        else:
            key = "reasoning_content"
        if texts:
            self._reasoning.append(texts[0])
            self._reasoning_key = key

    def _add_late_details(self, details: list[Any]) -> None:
        turns = (turn for turn in reversed(self._turns) if turn.message["role"] == "assistant")
        if (turn := next(turns, None)) is not None:
            add_details(turn.message, details)

    def _add_reasoning(self) -> None:
        if self._details:
            add_details(self._turns[-1].message, self._details)
            self._details = []
        if self._reasoning and self._reasoning_key:
            message = self._turns[-1].message
            given = message.get(self._reasoning_key)
            message[self._reasoning_key] = "\n".join([*([given] if given else []), *self._reasoning])
            self._reasoning = []

    def function_call(self, item: Item, path: str) -> None:
        self._add_function_call(item, path, item.get("arguments") or NO_ARGUMENTS)

    def local_shell_call(self, item: Item, path: str) -> None:
        self._add_function_call(item, path, action_arguments(item.get("action")))

    def custom_call(self, item: Item, path: str) -> None:
        text = item.get("input") or ""
        if not self._takes_custom:
            self._add_function_call(item, path, input_arguments(text if isinstance(text, str) else ""))
            return
        custom: CustomCall = {"name": self._name(item), "input": text}
        self._add_call({"id": _call_id(item, path), "type": "custom", "custom": custom})

    def _add_function_call(self, item: Item, path: str, arguments: str) -> None:
        function: CalledFunction = {"name": self._name(item), "arguments": arguments}
        self._add_call({"id": _call_id(item, path), "type": "function", "function": function})

    def _name(self, item: Item) -> str:
        kind = CALLED_KINDS.get(item["type"], FUNCTION)
        namespace, name = item.get("namespace"), item.get("name")
        ref = ToolRef(
            kind,
            namespace if isinstance(namespace, str) else "",
            LOCAL_SHELL if kind == LOCAL_SHELL else name if isinstance(name, str) else "",
        )
        return self._names.name(ref)

    def _add_call(self, call: ChatToolCall) -> None:
        turn = self._turns[-1] if self._turns else None
        if turn is None or turn.message["role"] != "assistant" or turn.outputs:
            turn = _Turn({"role": "assistant", "content": None})
            self._turns.append(turn)
        turn.message.setdefault("tool_calls", []).append(call)
        self._calls[call["id"]] = turn
        self._add_reasoning()

    def output(self, item: Item, path: str) -> None:
        call_id = _call_id(item, path)
        output, parts = item.get("output"), []
        if not isinstance(output, str):
            content = [chat_part(part, path) for part in as_list(output)]
            parts = [part for part in content if part["type"] != "text"]
            output = "".join(part["text"] for part in content if part["type"] == "text")
            if parts and not output:
                output = "(shown in the next user message)"
        message: ChatMessage = {"role": "tool", "tool_call_id": call_id, "content": output}
        turn = self._calls.get(call_id)
        if turn is None:  # the call is not in the input; the upstream may refuse that
            turn = _Turn(message)
            self._turns.append(turn)
        else:
            turn.outputs.append(message)
        turn.parts += parts


def _complete_reasoning(messages: list[ChatMessage]) -> None:
    """Add empty reasoning to tool calls without any: servers that expect reasoning refuse its absence."""
    for message in messages:
        if message.get("tool_calls"):
            message.setdefault("reasoning_content", "")


def _reasoning_text(parts: Any) -> str:
    texts = [part.get("text") for part in as_list(parts) if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _assistant_message(parts: list[Any], path: str) -> ChatMessage:
    refusals = [p["refusal"] for p in parts if _is_refusal(p)]
    texts = _texts([p for p in parts if not (isinstance(p, dict) and p.get("type") == "refusal")], path)
    message: ChatMessage = {"role": "assistant", "content": "".join(texts) if texts or not refusals else None}
    if refusals:
        message["refusal"] = "".join(refusals)
    return message


def _is_refusal(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("refusal"), str)


def _texts(parts: list[Any], path: str) -> list[str]:
    texts = [text_of(part) for part in parts]
    if None in texts:
        raise invalid(path, "such content cannot be sent to this account")
    return [text for text in texts if text is not None]


def _user_content(parts: list[Any], path: str) -> str | list[ChatPart]:
    """Return content that is one text as a string, which every server accepts, and other content as parts."""
    content = [chat_part(part, path) for part in parts]
    if not content:
        return ""
    return content[0]["text"] if len(content) == 1 and set(content[0]) == {"type", "text"} else content


def _call_id(item: Item, path: str) -> str:
    call_id = _given_call_id(item)
    if call_id is None:
        raise invalid(path, "'call_id' must be a string")
    return short_id(call_id)


def _given_call_id(item: Item) -> str | None:
    """Return the call id of *item*; that of a `local_shell_call_output` may be its `id`."""
    names = ("call_id", "id") if item["type"] == "local_shell_call_output" else ("call_id",)
    return next((value for name in names if isinstance(value := item.get(name), str) and value), None)


_WRITERS: dict[str, Callable[[_Writer, Item, str], None]] = {
    "message": _Writer.message,
    "reasoning": _Writer.reasoning,
    "function_call": _Writer.function_call,
    "custom_tool_call": _Writer.custom_call,
    "local_shell_call": _Writer.local_shell_call,
    "function_call_output": _Writer.output,
    "custom_tool_call_output": _Writer.output,
    "local_shell_call_output": _Writer.output,
}


def fits_chat(item: Item) -> bool:
    """Return whether `messages_from_input` accepts *item*."""
    kind = item.get("type", "message")
    if kind == "message":
        role, content = item.get("role"), item.get("content")
        return role in MESSAGE_ROLES if type(content) is str else _message_fits(role, as_list(content))
    if not isinstance(kind, str) or kind in OTHER_TYPES:
        return isinstance(kind, str)
    if kind not in _WRITERS or _given_call_id(item) is None:
        return False
    output = item.get("output") if kind.endswith("_output") else None
    return output is None or isinstance(output, str) or all(map(fits_chat_part, as_list(output)))


def _message_fits(role: Any, parts: list[Any]) -> bool:
    if role == "user":
        return all(map(fits_chat_part, parts))
    if role == "assistant":
        return all(
            text_of(part) is not None or (isinstance(part, dict) and part.get("type") == "refusal")
            for part in parts
        )
    return role in INSTRUCTING_ROLES and all(text_of(part) is not None for part in parts)
