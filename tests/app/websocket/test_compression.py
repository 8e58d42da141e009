"""permessage-deflate: what messages inflate to is bounded, and small ones are sent as they are."""

from __future__ import annotations

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

from app.websocket.compression import COMPRESS_FROM_BYTES, BoundedDeflate

LIMIT = 100_000


def pair() -> tuple[Connection, Connection]:
    """Return a client and our side."""
    bounded, theirs = BoundedDeflate(LIMIT), PerMessageDeflate()
    agreed = bounded.accept(theirs.name)
    assert isinstance(agreed, str)
    theirs.finalize(f"{theirs.name}; {agreed}")
    return Connection(ConnectionType.CLIENT, [theirs]), Connection(ConnectionType.SERVER, [bounded])


def received(connection: Connection, data: bytes, step: int = 4096) -> tuple[str, list[int]]:
    """Return the text that *data* has, and the codes of closes."""
    text, codes = "", []
    for start in range(0, len(data), step):
        connection.receive_data(data[start : start + step])
        for event in connection.events():
            if isinstance(event, TextMessage):
                text += event.data
            elif isinstance(event, CloseConnection):
                codes.append(int(event.code))
        if codes:
            break
    return text, codes


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_messages_inflate(step: int) -> None:
    client, server = pair()
    for text in ("a" * 5000, "", "é" * 3000, "z"):
        assert received(server, client.send(TextMessage(text)), step) == (text, [])


def test_a_ping_between_two_fragments() -> None:
    client, server = pair()
    text = "words " * 1000
    data = client.send(TextMessage(text[:3000], message_finished=False))
    data += client.send(Ping()) + client.send(TextMessage(text[3000:]))

    assert received(server, data) == (text, [])


def test_a_bomb() -> None:
    """What is inflated never exceeds the limit by more than what one read can inflate to."""
    client, server = pair()

    text, codes = received(server, client.send(TextMessage("a" * 50_000_000)), 64)

    assert codes == [1009]
    assert len(text) <= LIMIT


def test_what_cannot_be_inflated() -> None:
    _, server = pair()

    assert received(server, bytes([0xC1, 0x84, 0, 0, 0, 0]) + b"\xff\xff\xff\xff")[1] == [1007]


def test_what_is_sent() -> None:
    client, server = pair()
    small, large = "a" * (COMPRESS_FROM_BYTES - 1), "a" * COMPRESS_FROM_BYTES

    sent = [server.send(TextMessage(text)) for text in (small, large, large)]

    assert [frame[0] & 0x40 for frame in sent] == [0, 0x40, 0x40]
    assert len(sent[1]) < 100
    assert received(client, b"".join(sent)) == (small + large + large, [])
