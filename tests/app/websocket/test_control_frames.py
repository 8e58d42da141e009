"""Compressed messages of a client, next to control frames."""

from __future__ import annotations

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, Pong
from wsproto.extensions import PerMessageDeflate
from wsproto.handshake import client_extensions_handshake, server_extensions_handshake

from app.websocket.compression import BoundedDeflate

LIMIT = 100_000
TEXT = '{"type":"response.create"}' * 100


class Pair:
    """A client and a server of one connection that compresses."""

    def __init__(self) -> None:
        offer, accepted = PerMessageDeflate(), BoundedDeflate(LIMIT)
        agreed = server_extensions_handshake([f"{offer.name}; {offer.offer()}"], [accepted])
        assert agreed
        client_extensions_handshake([agreed.decode()], [offer])
        self.client = Connection(ConnectionType.CLIENT, [offer])
        self.server = Connection(ConnectionType.SERVER, [accepted])

    def receive(self, *events: Message | Ping | Pong) -> list[object]:
        """Send *events* to the server; return what it receives: texts, and codes of closes."""
        for event in events:
            self.server.receive_data(self.client.send(event))
        received, text = [], ""
        for event in self.server.events():
            if isinstance(event, Message):
                text += event.data
                if event.message_finished:
                    received.append(text)
                    text = ""
            elif isinstance(event, CloseConnection):
                received.append(event.code)
        return received


@pytest.mark.parametrize("control", [Ping(b"x"), Pong(b"x"), Pong()])
def test_control_frames_are_no_part_of_a_message(control: Ping | Pong) -> None:
    begun, rest = Message(TEXT[:1000], message_finished=False), Message(TEXT[1000:])

    assert Pair().receive(control, Message(TEXT), control, begun, control, rest, control) == [TEXT, TEXT]


@pytest.mark.parametrize("size", [LIMIT + 1, 50 * LIMIT])
def test_a_message_that_inflates_to_too_much(size: int) -> None:
    assert Pair().receive(Message("x" * LIMIT), Message("x" * size)) == ["x" * LIMIT, 1009]
