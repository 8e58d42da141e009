"""
Fold the chunks of a chat stream into one `chat.completion`.

Source: https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from typing import Any, cast

from app.openai_types.chat import ChatChoice, ChatMessage, ChatToolCall
from app.streaming.chat_repair import OFFSET, PARTS
from app.streaming.delta_merge import join_texts, merge, text_length

_CONSTANT_KEYS = frozenset(("id", "created", "model"))  # equal in all chunks, or present in one chunk only
# Padding, or keys that differ in a completion
_CHUNK_KEYS = frozenset(("choices", "object", "type", "obfuscation"))


class ChatFold:
    """Folds one stream. Of an unknown key, the last value that is not null is used."""

    def __init__(self) -> None:
        self._response: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}

    def add_event(self, payload: dict[str, Any]) -> None:
        """Add one chunk, which is not changed."""
        for key, value in payload.items():
            if value is not None and key not in _CHUNK_KEYS:
                self._response[key] = (self._response.get(key) or value) if key in _CONSTANT_KEYS else value
        choices = payload.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                index = choice.get("index")
                self._choices.setdefault(index if type(index) is int else 0, _Choice()).add_choice(choice)

    def result(self) -> dict[str, Any]:
        """Return the `chat.completion` of the chunks so far."""
        choices = [{"index": index, **self._choices[index].result()} for index in sorted(self._choices)]
        return {"object": "chat.completion", **self._response, "choices": choices}


class _Choice:
    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._logprobs: dict[str, Any] = {}
        self._snapshot: dict[str, Any] = {}
        self._rest: dict[str, Any] = {}

    def add_choice(self, choice: dict[str, Any]) -> None:
        for key, value in choice.items():
            if key == "delta" and isinstance(value, dict):
                if isinstance(value.get(PARTS), list):
                    value = self._with_positions(value)
                merge(self._message, value)
            elif key == "logprobs" and isinstance(value, dict):
                merge(self._logprobs, value)
            elif key == "message" and isinstance(value, dict):
                self._snapshot = value
            elif value is not None:
                self._rest[key] = value

    def _with_positions(self, delta: dict[str, Any]) -> dict[str, Any]:
        """Return *delta* with the `text_offset` of its other parts counted in the message."""
        before = text_length(self._message.get("content"))
        parts = [
            {**part, OFFSET: before + part[OFFSET]}
            if isinstance(part, dict) and type(part.get(OFFSET)) is int
            else part
            for part in delta[PARTS]
        ]
        return {**delta, PARTS: parts}

    def result(self) -> ChatChoice:
        message = join_texts(self._message)
        for key, value in self._snapshot.items():  # used if there were no deltas
            message[key] = message.get(key) or value
        choice = {
            **self._rest,
            "message": _message(message),
            "logprobs": join_texts(self._logprobs) or None,
            "finish_reason": self._rest.get("finish_reason"),
        }
        return cast("ChatChoice", choice)


def _message(delta_message: dict[str, Any]) -> ChatMessage:
    """Return the message with `content` and `refusal`, and with `tool_calls` only if there are any."""
    message = {
        key: value for key, value in delta_message.items() if value is not None and key != "tool_calls"
    }
    raw_calls = [call for call in delta_message.get("tool_calls") or () if isinstance(call, dict)]
    calls = [_call(call) for call in sorted(raw_calls, key=_call_index)]
    if calls:
        message["tool_calls"] = calls
    refusal = message.get("refusal") or None
    replaces_content = calls or refusal or message.get("function_call") or message.get("audio")
    content = message.get("content") or (None if replaces_content else "")
    return cast("ChatMessage", {**message, "role": "assistant", "content": content, "refusal": refusal})


def _call_index(call: dict[str, Any]) -> int:
    """Return the sort key of a call; calls may arrive out of order."""
    index = call.get("index")
    return index if isinstance(index, int) else 0


def _call(call: dict[str, Any]) -> ChatToolCall:
    """Return a call in the format of completions: no index, and `arguments` always a string."""
    call = {key: value for key, value in call.items() if key != "index"}
    if isinstance(call.get("function"), dict):
        call["function"] = {**call["function"], "arguments": call["function"].get("arguments") or ""}
        call["type"] = call.get("type") or "function"
    return cast("ChatToolCall", call)
