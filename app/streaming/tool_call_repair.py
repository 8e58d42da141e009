"""
Give every piece of a tool call the index, id and type of its call.

SDKs join the pieces of a call by `index`, which has to count from 0, append every `id` and `name` they
receive, and expect both in the first piece. Servers deviate: Gemini's compatible endpoint gives all
parallel calls index 0, others begin with 1 or leave gaps, Mistral gives neither index nor type, Qwen
repeats the id, llama.cpp has sent arguments as an object, others send the name or the id later, or the
name in fragments, which some SDKs join and others replace. A call is held back until its name is complete: a
name that is the beginning of a declared tool's name, or not declared at all, may be continued until the
arguments begin.
"""

from __future__ import annotations

from typing import Any

import orjson

from app.streaming.tool_arguments import is_cut, is_json

Payload = dict[str, Any]

_OWN_KEYS = frozenset(("index", "id", "type", "function", "custom"))
_MOVED_KEYS = (
    "name",
    "arguments",
    "input",
)  # keys of a function; some servers send them next to `function`
MAX_INDEX_CHARS = 4
_TEXT_KEYS = {"function": "arguments", "custom": "input"}


class _Call:
    __slots__ = ("arguments", "call_id", "held", "index", "kind", "name")

    def __init__(self) -> None:
        self.index = -1  # -1 until its start is sent
        self.call_id = self.name = self.kind = ""
        self.arguments: list[str] = []
        self.held: Payload | None = {}  # other keys of the pieces so far; None: its start has been sent

    def join_arguments(self) -> str:
        """Return the arguments so far; they are joined only once."""
        text = "".join(self.arguments)
        self.arguments = [text]
        return text


class ToolCallRepair:
    """The tool calls of one choice."""

    def __init__(self, id_prefix: str, names: frozenset[str] | None = None) -> None:
        """*id_prefix* begins the ids of calls without one; *names* are of declared tools, if known."""
        self._id_prefix = id_prefix
        self._names = names
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._next_index = 0  # index of the call that is sent next
        self._next_number = 0  # number of the next generated id
        self._by_index: dict[int, _Call] = {}  # the newest call with each of the upstream's indexes
        self._held = 0

    @property
    def is_holding(self) -> bool:
        return self._held > 0

    def has_cut_call(self) -> bool:
        """Return whether the arguments of a call end inside their JSON; the input of custom calls is text."""
        return any(call.kind != "custom" and is_cut(call.join_arguments()) for call in self._calls)

    def note_regular(self, pieces: Any) -> bool:
        """Return whether *pieces* are as the API documents them; if so, remember them."""
        if type(pieces) is not list:
            return False
        if len(pieces) == 1 and type(piece := pieces[0]) is dict and piece.get("id") is None:
            index = piece.get("index")
            call = self._by_index.get(index) if type(index) is int else None
            if call is not None and call.index == index and piece.get("type", "") is not None:
                called = piece.get(call.kind)
                if type(called) is dict and called.get("name") is None:
                    text = called.get(_TEXT_KEYS[call.kind])
                    if type(text) is str:
                        call.arguments.append(text)
                        return True
        return self._note_starts(pieces)

    def _note_starts(self, pieces: list[Any]) -> bool:
        ids = set()
        for index, piece in enumerate(pieces, self._next_index):
            kind = piece.get("type") if isinstance(piece, dict) else None
            called = piece.get(kind) if type(kind) is str and kind in _TEXT_KEYS else None
            if kind is None or not isinstance(called, dict):
                return False
            name, text = called.get("name"), called.get(_TEXT_KEYS[kind])
            has_names = all(isinstance(value, str) and value for value in (name, piece.get("id")))
            if type(piece.get("index")) is not int or piece["index"] != index or not has_names:
                return False
            if index in self._by_index:
                return False
            if not isinstance(text, str) and text is not None:
                return False
            if piece["id"] in self._by_id or not (text or self._is_complete_name(name)):
                return False
            ids.add(piece["id"])
        if len(ids) != len(pieces):
            return False
        for piece in pieces:
            call = self._add(piece["index"])
            called = piece[piece["type"]]
            call.call_id, call.kind, call.name = piece["id"], piece["type"], called["name"]
            self._by_id.setdefault(call.call_id, call)
            call.arguments.append(called.get(_TEXT_KEYS[call.kind]) or "")
            self._number(call)
        return True

    def repaired(self, pieces: Any) -> list[Payload]:
        """
        Return *pieces* as the API documents them, without calls whose name is not known yet.

        A single object is read as a list of one. Values that are not pieces of a call are omitted.
        """
        listed = pieces if isinstance(pieces, list) else [pieces]
        pieces = [piece for each in listed if (piece := _as_piece(each)) is not None]
        out = []
        for position, piece in enumerate(pieces):
            call = self._call_of(piece, position if len(pieces) > 1 else None)
            out += self._piece(call, piece)
        return out

    def release(self) -> list[Payload]:
        """Return the calls that are still held back at the end of the response, except empty ones."""
        held = [call for call in self._calls if call.held is not None]
        started = [self._start(call) for call in held if call.name or call.arguments]
        self._held = 0
        return started

    def _piece(self, call: _Call, piece: Payload) -> list[Payload]:
        called, kind = _called(piece)
        call.kind = call.kind or kind
        name, call_id = called.get("name"), piece.get("id")
        is_first = not call.call_id and not call.name and not call.arguments
        if isinstance(call_id, str) and call_id and call.held is not None:
            self._identify(call, call_id)
        if isinstance(name, str) and call.held is not None:
            call.name = self._joined_name(call.name, name)
        text = _text(called)
        if text:
            call.arguments.append(text)
        others = {key: value for key, value in piece.items() if key not in _OWN_KEYS}
        if call.held is not None:
            call.held.update(others)
            may_start = (call.call_id or not is_first) and call.name and not self._may_go_on(call)
            return [self._start(call)] if may_start else []
        if not text and not others:
            return []
        call.kind = call.kind or "function"
        return [{"index": call.index, **others, call.kind: {_TEXT_KEYS[call.kind]: text}}]

    def _start(self, call: _Call) -> Payload:
        self._identify(call, "")
        call.kind = call.kind or "function"
        called = {"name": call.name, _TEXT_KEYS[call.kind]: "".join(call.arguments)}
        others = call.held or {}
        self._number(call)
        start = {"index": call.index, "id": call.call_id, "type": call.kind, **others}
        return {**start, call.kind: called}

    def _number(self, call: _Call) -> None:
        """Give *call*, whose start is sent now, the next index: SDKs fail on gaps and on another order."""
        call.index = self._next_index
        self._next_index += 1
        call.held = None
        self._held -= 1

    def _identify(self, call: _Call, call_id: str) -> None:
        """Give *call* the id that its piece has, or a generated unique one, unless it already has an id."""
        if call.call_id:
            return
        made = call_id
        if not made or made in self._by_id:
            number = max(self._next_number, len(self._by_id) + 1)
            while (made := f"{call_id or self._id_prefix}_{number}") in self._by_id:
                number += 1
            self._next_number = number + 1
        call.call_id = made
        self._by_id[made] = call
        if call_id:
            self._by_id[call_id] = call  # further pieces with this id continue the newest call

    def _call_of(self, piece: Payload, position: int | None) -> _Call:
        """Return the call that *piece* continues, or a new one."""
        index, call_id = piece.get("index"), piece.get("id")
        called, _ = _called(piece)
        name = called.get("name")
        if type(index) is int:
            call = self._by_index.get(index)
            starts = call is None or self._starts_another(call, call_id, called)
            return self._add(index) if starts or call is None else call
        if isinstance(call_id, str) and (call := self._by_id.get(call_id)) is not None:
            return self._add(None) if self._starts_another(call, None, called) else call
        last = self._calls[-1] if self._calls else None
        if last is not None and not name:
            if position is not None and position < len(self._calls):
                return self._calls[position]
            return last
        if last is not None and not call_id and self._may_go_on(last):
            return last
        return self._add(None) if last is None or last.name else last

    def _starts_another(self, call: _Call, call_id: Any, called: Payload) -> bool:
        """Return whether a piece with the index of *call* is the start of another call."""
        name = called.get("name")
        if not name or not call.name:
            return False
        if call_id and call.call_id:
            return bool(call_id != call.call_id)
        if name != call.name:
            return not self._may_go_on(call)
        return bool(_text(called)) and is_json(call.join_arguments())

    def _may_go_on(self, call: _Call) -> bool:
        """Return whether the name of *call* may be a fragment, because its arguments have not begun."""
        return call.held is not None and not any(call.arguments) and not self._is_complete_name(call.name)

    def _is_complete_name(self, name: Any) -> bool:
        names = self._names
        if names is None or name in names:
            return True
        return bool(names) and not any(known.startswith(name) for known in names)

    def _joined_name(self, before: str, name: str) -> str:
        """Return the name of a call after a piece with *name*, which is a fragment or the name so far."""
        if not before or (name.startswith(before) and (not self._names or name in self._names)):
            return name
        return before if name == before or self._is_complete_name(before) else before + name

    def _add(self, upstream_index: int | None) -> _Call:
        call = _Call()
        self._calls.append(call)
        self._held += 1
        if upstream_index is not None:
            self._by_index[upstream_index] = call
        return call


def declared_names(tools: Any) -> frozenset[str]:
    """Return the names of the functions and custom tools in the *tools* of a request."""
    names = []
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and isinstance(called := tool.get("function") or tool.get("custom"), dict):
            names.append(called.get("name"))
    return frozenset(name for name in names if isinstance(name, str))


def number_of(index: Any) -> int | None:
    """Return *index* as a number if it is one or the text of one, else None."""
    if type(index) is int:
        return index
    is_text = isinstance(index, str) and len(index) <= MAX_INDEX_CHARS and index.isascii()
    return int(index) if is_text and index.isdigit() else None


def _as_piece(value: Any) -> Payload | None:
    """
    Return *value* as a piece of a call, None if it is not one.

    A `function` that is text is the name. The name and the arguments may also be next to the id.
    """
    if not isinstance(value, dict):
        return None
    piece = {key: part for key, part in value.items() if key not in _MOVED_KEYS}
    index = number_of(piece.pop("index", None))
    if index is not None:
        piece["index"] = index
    called = {key: value[key] for key in _MOVED_KEYS if value.get(key) is not None}
    for kind in _TEXT_KEYS:
        part = piece.pop(kind, None)
        if isinstance(part, str):
            piece[kind] = {**called, "name": part}
        elif isinstance(part, dict):
            name = part.get("name")
            is_name = name is None or isinstance(name, str)
            piece[kind] = {**called, **(part if is_name else {**part, "name": None})}
    if called and not piece.keys() & _TEXT_KEYS.keys():
        piece["function"] = called
    return piece if piece.keys() & _OWN_KEYS else None


def _called(piece: Payload) -> tuple[Payload, str]:
    """Return (the function or custom tool of *piece*, which of the two it is, "" if unknown)."""
    for kind in _TEXT_KEYS:
        if (called := piece.get(kind)) is not None:
            return called, kind
    return {}, {"custom": "custom", "function": "function"}.get(str(piece.get("type")), "")


def _text(called: Payload) -> str:
    """Return the arguments or input of a piece, as text."""
    value = called["input"] if called.get("input") is not None else called.get("arguments")
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()
