"""
The messages of a connection: those of clients, checked, and the errors that are sent to them.

Source: https://platform.openai.com/docs/guides/websocket-mode
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.errors import GatewayError, InvalidRequest, LaneUnusable
from app.json_writing import write_json

JsonObject = dict[str, Any]
LANE = "stream_id"  # the field that names the lane of a message
DEFAULT_LANE = ""  # the lane of messages without `stream_id`
_LANE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
# Fields of a `response.create` that are not in the body
_OWN_FIELDS = ("type", LANE, "generate", "stream", "previous_response_id")
MAX_ID_CHARS = 256
_METADATA_HEADER = "ws_request_header_"
_HEADERS = ("x-codex-turn-metadata", "x-codex-window-id", "x-codex-turn-state")
_HEADER_NAME = re.compile(r"x-codex-[a-z0-9-]{1,64}")
MAX_HEADER_CHARS = 16_380  # the same limit as in the settings of the server


@dataclass(frozen=True, slots=True)
class Create:
    """
    A `response.create`, without the fields that only a connection knows.

    `fields` and `items` are JSON: the body without its input, and the items of the input without brackets.
    `items` is None if there is no valid `input` (for example, `messages`): then `fields` is the complete
    body. `text` is an input that is text; it is sent unchanged if nothing precedes it.
    """

    lane: str
    fields: bytes
    items: bytes | None
    previous_response_id: str | None
    generates: bool
    headers: Mapping[str, str]
    text: bytes | None = None

    @property
    def size(self) -> int:
        return len(self.fields) + len(self.items or b"")


def lane_of(message: JsonObject) -> str:
    """Return the lane of *message*. Raises LaneUnusable."""
    name = message.get(LANE, DEFAULT_LANE)
    if LANE in message and not (isinstance(name, str) and _LANE_NAME.fullmatch(name)):
        raise LaneUnusable(
            "stream_id must have 1 to 256 letters, digits and the characters _ . -",
            "invalid_stream_id",
            LANE,
        )
    return str(name)


def create_of(message: JsonObject, size: int) -> Create:
    """Parse *message*, of *size* bytes, as a `response.create`. Raises InvalidRequest."""
    lane = lane_of(message)
    if message.get("background"):
        raise InvalidRequest("background is not possible over WebSocket", param="background")
    generate = message.get("generate")
    if generate is not None and type(generate) is not bool:
        raise InvalidRequest("generate must be true or false", param="generate")
    previous = _previous_of(message)
    body = {name: value for name, value in message.items() if name not in _OWN_FIELDS}
    body.pop("background", None)
    body["stream"] = True
    if generate is False:
        body.setdefault("instructions", "")  # Codex sends them in its first items, which come later
    items, text = _items_of(body, previous, size)
    if items is not None:
        body.pop("input", None)
    return Create(
        lane,
        b"".join(write_json(body, size)),
        items,
        previous,
        generate is not False,
        _headers_of(message.get("client_metadata")),
        text,
    )


def _previous_of(message: JsonObject) -> str | None:
    previous = message.get("previous_response_id")
    if previous is None or (type(previous) is str and 0 < len(previous) <= MAX_ID_CHARS):
        return previous
    raise InvalidRequest("previous_response_id must be the id of a response", param="previous_response_id")


def _items_of(body: JsonObject, previous: str | None, size: int) -> tuple[bytes | None, bytes | None]:
    """Return (the items of the input of *body*, None if it has no valid one; the input if it is text)."""
    given = body.get("input")
    if type(given) is list:
        return b"".join(write_json(given, size))[1:-1], None
    if type(given) is str:
        text = b"".join(write_json(given, size))
        return b'{"type":"message","role":"user","content":%b}' % text, text
    if previous is None:
        return None, None
    if given is not None or body.get("messages"):
        raise InvalidRequest("input must be text or an array to follow a previous response", param="input")
    return b"", None


def _headers_of(metadata: Any) -> dict[str, str]:
    """
    Return the headers of the request that Codex puts into its `client_metadata`, by name.

    A connection has only the headers of its handshake. Only Codex's own headers can be set this way.
    """
    if not isinstance(metadata, dict):
        return {}
    named = {name: metadata.get(name) for name in _HEADERS}
    for name, value in metadata.items():
        if name.startswith(_METADATA_HEADER):
            named[name.removeprefix(_METADATA_HEADER).replace("_", "-").lower()] = value
    return {
        name: value
        for name, value in named.items()
        if isinstance(value, str)
        and _HEADER_NAME.fullmatch(name)
        and len(value) <= MAX_HEADER_CHARS
        and value.isascii()
        and value.isprintable()
    }


def body_of(create: Create, earlier: tuple[bytes, ...] = ()) -> tuple[bytes, tuple[bytes, ...] | None]:
    """
    Return the body of the request that *create* is, and the pieces of its complete input, if it has one.

    *earlier* are the items of the conversation before it.
    """
    if create.items is None:
        return create.fields, None
    pieces = tuple(piece for piece in (*earlier, create.items) if piece)
    if create.text is not None and not earlier:
        return b'{"input":%b,%b' % (create.text, create.fields[1:]), pieces
    return b'{"input":[%b],%b' % (b",".join(pieces), create.fields[1:]), pieces


def with_lane(event: bytes, lane: str) -> bytes:
    """Return the JSON of an event with the name of its lane added."""
    if not lane:
        return event
    return b'%b,"stream_id":"%b"}' % (event.rstrip()[:-1], lane.encode())


def error_frame(error: GatewayError, lane: str = DEFAULT_LANE) -> bytes:
    """Return *error* as a message: clients ignore one without a numeric `status`."""
    headers = {name.lower(): value for name, value in error.retry_headers().items() if error.retryable}
    return error_message(error.status, error.envelope()["error"], headers, lane)


def error_message(
    status: int, error: Mapping[str, Any], headers: Mapping[str, str], lane: str = DEFAULT_LANE
) -> bytes:
    """Return a failure as a message. *headers* are also in the error, where OpenAI's SDKs expect them."""
    message: JsonObject = {"type": "error", "status": status, "error": {**error, "param": error.get("param")}}
    if headers:
        message["headers"] = headers
        message["error"]["headers"] = headers
    if lane:
        message[LANE] = lane
    return orjson.dumps(message)
