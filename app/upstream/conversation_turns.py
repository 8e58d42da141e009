"""
Send only the new items of a conversation whose upstream remembers the rest.

The upstream has the latest response of a connection in its memory. A request continues it if all fields but
the input are equal, and its input begins with the last input and the last output. That is Codex's own rule;
other requests are sent in full.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from app.json_writing import write_json

JsonObject = dict[str, Any]

# Not compared: fields that differ in every request, and fields that requests over WebSocket do not have.
_NOT_COMPARED = frozenset(("input", "client_metadata", "stream", "background"))
_NOT_SENT = ("stream", "background")
# Keys of items and parts that clients do not return; a model does not see them.
_INSIGNIFICANT = frozenset(("id", "status", "annotations", "logprobs"))
REFERENCE = "item_reference"  # type of an item that has only the id of another
METADATA_PREFIX = "x-codex-"
LITE = "x-openai-internal-codex-responses-lite"


class Turn(NamedTuple):
    """One request of a conversation; *body_bytes* is the approximate size of *body* as JSON."""

    conversation: str
    body: JsonObject
    body_bytes: int = 0


class LatestResponse(NamedTuple):
    """The state that the upstream has of a connection: fingerprints of the fields and of *length* items."""

    response_id: str
    fields: bytes
    length: int
    items: bytes


class Input:
    """The input of *turn*; `new_items` are the items that follow *latest*, None if there are none."""

    def __init__(self, turn: Turn, latest: LatestResponse | None) -> None:
        fields = {name: value for name, value in turn.body.items() if name not in _NOT_COMPARED}
        self._fields = hashlib.blake2b(_written(fields), digest_size=16).digest()
        self._items = hashlib.blake2b(digest_size=16)
        items = turn.body.get("input")
        self._length = len(items) if isinstance(items, list) else 0
        self.new_items: list[Any] | None = None
        rest = items if isinstance(items, list) else []
        if latest is not None and latest.length < len(rest) and self._fields == latest.fields:
            self._add(rest[: latest.length])
            rest = rest[latest.length :]
            if self._items.digest() == latest.items:
                self.new_items = rest
        self._add(rest)

    def latest_after(self, response_id: str, output: Sequence[Any]) -> LatestResponse | None:
        """Return the upstream's state after a response with the items *output*; None if it is unknown."""
        if not self._length:
            return None
        self._add(output)
        return LatestResponse(response_id, self._fields, self._length + len(output), self._items.digest())

    def _add(self, items: Iterable[Any]) -> None:
        for item in items:
            data = _written(_significant(item))
            self._items.update(b"%d:" % len(data))
            self._items.update(data)


def message_of(turn: Turn, headers: Mapping[str, str]) -> list[bytes]:
    """
    Return the pieces of a message with all of *turn*.

    *headers* are headers of the client that differ by request, so that the connection cannot have them.
    """
    return write_json(_message(turn, headers), turn.body_bytes)


def continuing_message_of(
    turn: Turn, headers: Mapping[str, str], response_id: str, items: list[Any]
) -> list[bytes]:
    """Return the pieces of a message with only *items* as input, which continue *response_id*."""
    fields = _message(turn, headers) | {"previous_response_id": response_id, "input": items}
    return write_json(fields, turn.body_bytes)


def _message(turn: Turn, headers: Mapping[str, str]) -> JsonObject:
    fields: JsonObject = {"type": "response.create"}
    fields |= {name: value for name, value in turn.body.items() if name not in _NOT_SENT}
    if metadata := _metadata_of(headers):
        own = fields.get("client_metadata")
        fields["client_metadata"] = metadata | (own if isinstance(own, dict) else {})
    return fields


def _metadata_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request as metadata, as Codex sends them over WebSocket."""
    metadata = {}
    for name, value in headers.items():
        lowered = name.lower()
        if lowered.startswith(METADATA_PREFIX):
            metadata[lowered] = value
        elif lowered == LITE:
            metadata[f"ws_request_header_{LITE.replace('-', '_')}"] = value
    return metadata


def _written(value: Any) -> bytes:
    """Return *value* as JSON. A value that has none, such as an integer of 65 bits, equals no other."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return os.urandom(16)


def _significant(item: Any) -> Any:
    """Return the part of *item* that a model sees."""
    if type(item) is not dict or item.get("type") == REFERENCE:
        return item
    significant = _without_insignificant(item)
    if "role" in significant:
        significant.setdefault("type", "message")
    content = significant.get("content")
    if type(content) is list:
        significant["content"] = [
            _without_insignificant(part) if type(part) is dict else part for part in content
        ]
    return significant


def _without_insignificant(value: JsonObject) -> JsonObject:
    return {name: part for name, part in value.items() if part is not None and name not in _INSIGNIFICANT}
