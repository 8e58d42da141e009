"""
Rewrite chunks of a chat stream that deviate from the API, for every consumer of the stream.

It repairs pieces of tool calls (see `tool_call_repair`), content that is a list of parts (Mistral), a
complete `message` instead of deltas, an index that is null, missing or text, `finish_reason: ""`, other or
unknown names of finish reasons, arguments that are an object, further calls under `function_call`, and usage
inside the choice (Moonshot) or under `x_groq`. Where SDKs expect an object or a list, a value of another type
is converted if its meaning is clear (a delta that is text is content, a single call is a list of one), and
omitted otherwise. Other deviations are not changed.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from typing import Any

import orjson

from app.streaming.finish_reasons import is_absent, standard_reason
from app.streaming.tool_arguments import is_cut, is_json
from app.streaming.tool_call_repair import ToolCallRepair, declared_names, number_of

Payload = dict[str, Any]

PARTS = "content_parts"  # key of the parts of a content that are neither text nor thoughts
OFFSET = "text_offset"  # key of the position of such a part in the text


class _Function:
    """The deprecated `function_call` of a choice, which may have only one."""

    __slots__ = ("has_followers", "name", "pieces")

    def __init__(self) -> None:
        self.name = ""
        self.pieces: list[str] = []  # pieces of its arguments
        self.has_followers = False  # whether further calls came under its key

    def is_followed_by(self, called: Payload) -> bool:
        """Return whether *called* begins another call: the name differs, or the arguments are complete."""
        name = called.get("name")
        if self.has_followers or not name or not self.name:
            return self.has_followers
        return bool(name != self.name or is_json("".join(self.pieces)))

    def add(self, called: Payload) -> None:
        name, text = called.get("name"), called.get("arguments")
        self.name = self.name or (name if isinstance(name, str) else "")
        if isinstance(text, str):
            self.pieces.append(text)


class ChatRepair:
    """Repairs the choices of one stream; it remembers their tool calls."""

    def __init__(self, tools: Any = None) -> None:
        """*tools* are those of the request, None if they are not known."""
        self._tools = tools
        self._calls: dict[int, ToolCallRepair] = {}
        self._functions: dict[int, _Function] = {}

    def calls(self, index: int) -> ToolCallRepair:
        """Return the tool calls of a choice."""
        calls = self._calls.get(index)
        if calls is None:
            names = None if self._tools is None else declared_names(self._tools)
            calls = self._calls[index] = ToolCallRepair("call" if index == 0 else f"call_{index}", names)
        return calls

    def is_holding(self, index: int) -> bool:
        """Return whether calls of a choice are held back."""
        return index in self._calls and self._calls[index].is_holding

    def has_calls(self, index: int) -> bool:
        """Return whether a choice has tool calls; a deprecated `function_call` is none."""
        return index in self._calls

    def has_cut_call(self, index: int) -> bool:
        """Return whether the arguments of a call of a choice end inside their JSON."""
        calls, function = self._calls.get(index), self._functions.get(index)
        if calls is not None and calls.has_cut_call():
            return True
        return function is not None and is_cut("".join(function.pieces))

    def is_regular(self, index: int, delta: Payload) -> bool:
        """Return whether the content and calls of *delta* are as documented; remember its calls."""
        content, legacy = delta.get("content"), delta.get("function_call")
        if content is not None and type(content) is not str:
            return False
        if legacy is not None and not self._note_function(index, legacy):
            return False
        calls = delta.get("tool_calls")
        return not calls or self.calls(index).note_regular(calls)

    def _note_function(self, index: int, called: Any) -> bool:
        """Return whether *called* is a piece of the one call of its choice, as documented; remember it."""
        if type(called) is not dict or type(called.get("arguments")) not in (str, type(None)):
            return False
        function = self._functions.get(index)
        if function is None:
            function = self._functions[index] = _Function()
        elif called.get("name"):
            return False  # the name is repeated, or belongs to another call
        elif function.has_followers:
            return False
        function.add(called)
        return True

    def choice(self, choice: Payload, *, is_first: bool) -> Payload:
        """Return the repaired *choice*; with *is_first* it produced nothing before."""
        index = number_of(choice.get("index")) or 0
        out = {**choice, "index": index}
        out.pop("message", None)
        out["delta"] = delta = self._delta(index, delta_of(choice, is_first=is_first))
        reason = choice.get("finish_reason")
        if not isinstance(reason, str) or is_absent(reason):
            out["finish_reason"] = None
            return out
        if (standard := standard_reason(reason)) != reason:
            out["finish_reason"] = standard
            out.setdefault("native_finish_reason", reason)
        if self.is_holding(index):
            calls = delta.get("tool_calls")
            delta["tool_calls"] = [
                *(calls if isinstance(calls, list) else ()),
                *self._calls[index].release(),
            ]
        return out

    def _delta(self, index: int, delta: Payload) -> Payload:
        out = dict(delta)
        content, legacy = delta.get("content"), delta.get("function_call")
        if isinstance(content, list | dict):
            out |= _content(content if isinstance(content, list) else [content], out)
        elif content is not None and not isinstance(content, str):
            del out["content"]
        if isinstance(legacy, str):
            legacy = {"name": legacy}
        if legacy is not None and not isinstance(legacy, dict):
            del out["function_call"]
        elif legacy is not None:
            if isinstance(legacy.get("arguments"), dict | list):
                legacy = {**legacy, "arguments": orjson.dumps(legacy["arguments"]).decode()}
            out["function_call"] = legacy
            self._function(index, out)
        if delta.get("tool_calls") and not self.calls(index).note_regular(delta["tool_calls"]):
            out["tool_calls"] = self._calls[index].repaired(delta["tool_calls"])
            if not out["tool_calls"]:
                del out["tool_calls"]
        return out

    def _function(self, index: int, delta: Payload) -> None:
        """Make a further call under `function_call` a tool call: clients would join it to the first."""
        function, called = self._functions.setdefault(index, _Function()), delta["function_call"]
        if not function.is_followed_by(called):
            if function.name and called.get("name"):
                delta["function_call"] = {key: value for key, value in called.items() if key != "name"}
            function.add(called)
            return
        function.has_followers = True
        del delta["function_call"]
        if pieces := self.calls(index).repaired([{"function": called}]):
            delta["tool_calls"] = pieces


def delta_of(choice: Payload, *, is_first: bool) -> Payload:
    """
    Return the delta of *choice*. A delta that is text is content; without one, a `message` is the delta.

    With *is_first* the choice produced nothing before; otherwise the message repeats the deltas.
    """
    delta, message = choice.get("delta"), choice.get("message")
    if isinstance(delta, dict):
        is_empty = not any(value and key != "role" for key, value in delta.items())
        if not (is_empty and isinstance(message, dict)):
            return delta
    if isinstance(delta, str):
        return {"content": delta} if delta else {}
    if not isinstance(message, dict) or not is_first:
        return {}
    return {key: value for key, value in message.items() if value is not None}


def choice_usage(payload: Payload, choice: Payload) -> Any:
    """Return the usage in the choice (Moonshot) or the vendor field of a chunk; None if there is none."""
    usage = choice.get("usage")
    if not usage and isinstance(vendor := payload.get("x_groq"), dict):
        usage = vendor.get("usage")
    return usage if isinstance(usage, dict) else None


def _content(parts: list[Any], delta: Payload) -> Payload:
    """
    Return the keys of a delta for content that is a list of parts; others stay in `content_parts`.

    The `text_offset` of each is its position in the characters of the `content` of this delta.
    """
    texts: list[str] = []
    thoughts, others = [], []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, str):
            texts.append(part)
        elif kind in ("text", "output_text") and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "thinking":
            thoughts.append(_thoughts(part.get("thinking")))
            others += [
                {**other, OFFSET: sum(map(len, texts))} for other in _without_text(part.get("thinking"))
            ]
        else:
            others.append({**part, OFFSET: sum(map(len, texts))} if isinstance(part, dict) else part)
    out: Payload = {"content": "".join(texts)}
    if thoughts:
        before = delta.get("reasoning_content")
        out["reasoning_content"] = (before if isinstance(before, str) else "") + "".join(thoughts)
    if others:
        out[PARTS] = others
    return out


def _without_text(thinking: Any) -> list[Payload]:
    """Return the parts of a thinking part that have no text, such as references."""
    pieces = thinking if isinstance(thinking, list) else ()
    return [piece for piece in pieces if isinstance(piece, dict) and not isinstance(piece.get("text"), str)]


def _thoughts(thinking: Any) -> str:
    """Return the text of a thinking part, which is a text or a list of texts and text parts."""
    if isinstance(thinking, str):
        return thinking
    pieces = thinking if isinstance(thinking, list) else ()
    texts = (piece.get("text") if isinstance(piece, dict) else piece for piece in pieces)
    return "".join(text for text in texts if isinstance(text, str))
