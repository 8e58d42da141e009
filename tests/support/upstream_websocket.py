"""
The WebSocket mode of the scripted upstream: Responses over one connection.

It speaks as OpenAI documents it. A message `response.create` is one request: the next play of the
connection's path answers it, each of its events in a message of its own; a play with an error status
becomes an `error` message with that status. The connection remembers its latest response and nothing
else, so that a `previous_response_id` of any other is not found. `http_error` plays of the path
`/websocket` refuse handshakes.

In the log the handshake has the path `/websocket`, and a request the method `WEBSOCKET`; its body is
the message as it was sent.

Source: https://platform.openai.com/docs/guides/websocket-mode
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import orjson
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import CloseConnection, Ping, TextMessage
from wsproto.utilities import generate_accept_token

from tests.support.http_server import Request, head
from tests.support.upstream_log import Log, Seen
from tests.support.upstream_player import Gates, Over, Player

Json = dict[str, Any]

HANDSHAKE = "/websocket"  # the path of handshakes in scripts and in the log
TEXT_FRAME = 0x81
READ_BYTES = 65536


def is_handshake(request: Request) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"


def close_step(code: int) -> Json:
    """Return the step that sends a Close frame with *code*; `{"close": True}` then hangs up."""
    return {"raw_b64": base64.b64encode(b"\x88\x02" + struct.pack("!H", code)).decode()}


def accept(sock: Any, request: Request, headers: Json) -> None:
    """Answer the handshake *request*; *headers* are added."""
    token = generate_accept_token(request.headers["sec-websocket-key"].encode()).decode()
    upgrade = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": token}
    sock.sendall(head(101, {**upgrade, **headers}))


class Conversation:
    """The state of one connection: its latest response."""

    def __init__(self) -> None:
        self._response_id = ""
        self._items: list[Any] = []
        self._input: list[Any] = []  # of the running response
        self._output: list[Any] = []

    def complete_body(self, message: Json) -> Json | None:
        """
        Return the body of the HTTP request that *message* stands for; None if it continues an unknown
        response.
        """
        body = {**message, "stream": True}
        previous, items = body.pop("previous_response_id", None), body.get("input", [])
        del body["type"]
        if previous is not None:
            if previous != self._response_id:
                self._response_id = ""
                return None
            body["input"] = items = self._items + items
        self._input, self._output = items if isinstance(items, list) else [items], []
        return body

    def note(self, event: Json) -> None:
        if event["type"] == "response.output_item.done":
            self._output.append(event["item"])
        elif event["type"] == "response.completed":
            self._response_id, self._items = event["response"]["id"], self._input + self._output
        elif event["type"] in ("response.failed", "response.incomplete", "error"):
            self._response_id = ""


class WebSocketPlayer(Player):
    """Sends the events of a play as messages."""

    def __init__(self, sock: Any, seen: Seen, log: Log, gates: Gates, conversation: Conversation) -> None:
        super().__init__(sock, seen, log, gates)
        self._conversation = conversation
        self._text = b""

    def _perform(self, play: Json) -> None:
        status, steps = play.get("status", 200), play.get("steps", ())
        self._run(play.get("before", ()), bytes)
        self.seen.status = status
        if status >= 400:
            body = orjson.loads(steps[0]["send"])
            headers = play.get("headers", {})
            self._write(self._message({"type": "error", "status": status, **body, "headers": headers}))
        else:
            try:
                self._run(steps, self._messages)
            except Over as over:
                if str(over) != "finished":
                    raise
        self._ended("finished")
        self._run(play.get("afterwards", ()), bytes)

    def _messages(self, data: bytes) -> bytes:
        """Return the frames of the events that *data*, a piece of a stream, completes."""
        *complete, self._text = (self._text + data).split(b"\n\n")
        events = [text.partition(b"data: ")[2] for text in complete]
        return b"".join(self._message(orjson.loads(event)) for event in events if event.startswith(b"{"))

    def _message(self, event: Json) -> bytes:
        self._conversation.note(event)
        return text_frame(orjson.dumps(event))


def text_frame(text: bytes) -> bytes:
    """Return *text* as one frame of a server."""
    length = len(text)
    if length < 126:
        return struct.pack("!BB", TEXT_FRAME, length) + text
    if length < 2**16:
        return struct.pack("!BBH", TEXT_FRAME, 126, length) + text
    return struct.pack("!BBQ", TEXT_FRAME, 127, length) + text


def error_frame(status: int, error: Json) -> bytes:
    return text_frame(orjson.dumps({"type": "error", "status": status, "error": error}))


NOT_FOUND = {
    "type": "invalid_request_error",
    "code": "previous_response_not_found",
    "message": "Previous response not found.",
    "param": "previous_response_id",
}


class WebSocketServer:
    """One accepted connection; *play* performs what is scripted for one message."""

    def __init__(self, sock: Any, reader: BinaryIO, play: Callable[[bytes, Conversation], bool]) -> None:
        self._sock = sock
        self._reader = reader
        self._play = play
        self._frames = Connection(ConnectionType.SERVER)
        self._conversation = Conversation()

    def serve(self) -> None:
        """Serve messages until either side closes the connection."""
        text: list[str] = []
        while True:
            for event in self._frames.events():
                if isinstance(event, TextMessage):
                    text.append(event.data)
                    if event.message_finished:
                        message, text = "".join(text).encode(), []
                        if not self._play(message, self._conversation):
                            return
                elif isinstance(event, Ping):
                    self._sock.sendall(self._frames.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self._sock.sendall(self._frames.send(event.response()))
                    return
            data = self._reader.read1(READ_BYTES)  # type: ignore[attr-defined]
            if not data:
                return
            self._frames.receive_data(data)
