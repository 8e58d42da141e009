"""A WebSocket client of the gateway that uses the messages of the Responses API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.gateway import PoolOfTest

PATH = "/v1/responses"
TERMINAL = ("response.completed", "response.incomplete", "response.failed", "error")
Json = dict[str, Any]


class SocketClient:
    """One connection of a test."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, message: Json | str | bytes) -> None:
        self.connection.send(json.dumps(message) if isinstance(message, dict) else message)

    def receive(self, seconds: float = 20) -> Json:
        """Return the next message of the gateway."""
        message: Json = json.loads(self.connection.recv(timeout=seconds))
        return message

    def create(self, text: str | list[Json] = "Hello", **fields: Any) -> None:
        """Send a `response.create`."""
        self.send({"type": "response.create", "model": "m", "input": text, **fields})

    def until_end(self, lane: str | None = None) -> list[Json]:
        """Return the messages up to the end of a response, of *lane* alone."""
        events = []
        while not events or events[-1]["type"] not in TERMINAL:
            event = self.receive()
            if event.get("stream_id") == lane:
                events.append(event)
        return events

    def respond(self, text: str | list[Json] = "Hello", **fields: Any) -> list[Json]:
        """Send a `response.create`, and return its messages."""
        self.create(text, **fields)
        return self.until_end(fields.get("stream_id"))

    def close_code(self, seconds: float = 20) -> int:
        """Read until the gateway closes the connection, and return the code of its Close frame."""
        try:
            while True:
                self.connection.recv(timeout=seconds)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


@contextmanager
def socket_of(pool: PoolOfTest, key: str, path: str = PATH, **options: Any) -> Iterator[SocketClient]:
    """Connect to the gateway of *pool* with *key*, and close at the end."""
    headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
    url = pool.gateway.url.replace("http", "ws", 1) + path
    options = {"max_size": None, "proxy": None, **options}
    with connect(url, additional_headers=headers, **options) as connection:
        yield SocketClient(connection)


def text_in(events: list[Json]) -> str:
    """Return the text of the response that consists of *events*."""
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
