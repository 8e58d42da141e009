"""
`app.wsgi`, but each WebSocket returns the messages that it receives, over the gateway's connection class.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wsproto.events import BytesMessage, Message

from app.server.upgrades import UpgradedConnection
from app.websocket import handshake
from app.websocket.connection import ConnectionLimits, WebSocketConnection
from app.wsgi import app as gateway

MIB = 1024 * 1024

MAX_MESSAGE_BYTES = 16 * MIB  # the largest message of the cases
LIMITS = ConnectionLimits(MAX_MESSAGE_BYTES, slow_client_seconds=30.0)


class EchoConnection(WebSocketConnection):
    """Records whether the message that it receives is text."""

    __slots__ = ("is_text",)

    def _receive_piece(self, event: Message, handler: Any) -> None:
        self.is_text = not isinstance(event, BytesMessage)
        super()._receive_piece(event, handler)

    def send_back(self, message: bytes) -> None:
        if self.is_text:
            self.send_text(message)
        else:
            self.send(self._protocol.send(BytesMessage(message)))


class Echo:
    """The `Handler` of a connection."""

    takes_binary = True

    def __init__(self, connection: EchoConnection) -> None:
        self._connection = connection

    def receive(self, message: bytes) -> None:
        self._connection.send_back(message)

    def receive_control(self) -> None: ...

    def too_large(self) -> None: ...

    def next_check(self, now: float) -> float:
        return now + 60

    def closed(self) -> None: ...


class EchoOrGateway:
    """The gateway, with the echo in place of its WebSocket endpoint."""

    def __getattr__(self, name: str) -> Any:
        return getattr(gateway, name)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "HTTP_UPGRADE" not in environ:
            return gateway(environ, start_response)
        handshake.check(environ)
        response, extensions = handshake.accept(environ, MAX_MESSAGE_BYTES, ())
        connection = EchoConnection(environ["gunicorn.socket"], extensions, LIMITS)

        def serve() -> None:
            connection.send(response)
            connection.run(Echo(connection))

        return UpgradedConnection(serve)


app = EchoOrGateway()
