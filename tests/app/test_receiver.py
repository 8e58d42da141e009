"""Receiving with one timer for many waits, from sockets of gevent and from others."""

from __future__ import annotations

import socket as plain
import ssl as plain_ssl
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
import pytest
from gevent import socket, ssl

from app.receiver import Receiver
from tests.support.tls import make_certificate

SOON, LATER = 0.05, 30.0


class TlsServer:
    """The other end of a TLS connection, which sends records in pieces over *sock*."""

    def __init__(self, sock: Any, certificate: Path, key: Path) -> None:
        context = plain_ssl.SSLContext(plain_ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._received, self._sent, self._sock = plain_ssl.MemoryBIO(), plain_ssl.MemoryBIO(), sock
        self._tls = context.wrap_bio(self._received, self._sent, server_side=True)

    def shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except plain_ssl.SSLWantReadError:
                self._sock.sendall(self._sent.read())
                self._received.write(self._sock.recv(65536))
            else:
                self._sock.sendall(self._sent.read())
                return

    def record(self, data: bytes) -> bytes:
        """Return *data* encrypted."""
        self._tls.write(data)
        return self._sent.read()


@pytest.fixture(params=[plain, socket], ids=["plain", "gevent"])
def pair(request: Any) -> Iterator[tuple[Any, Any]]:
    one, other = request.param.socketpair()
    with one, other:
        one.settimeout(0)
        yield one, other


@pytest.fixture
def cooperative() -> Iterator[tuple[Any, Any]]:
    one, other = socket.socketpair()
    with one, other:
        one.settimeout(0)
        yield one, other


def test_what_has_arrived(pair: tuple[Any, Any]) -> None:
    one, other = pair
    receiver = Receiver(one)
    other.sendall(b"abc")

    assert [receiver.receive(2, LATER), receiver.receive(2, LATER)] == [b"ab", b"c"]
    receiver.close()


def test_silence_is_none_and_reading_goes_on(pair: tuple[Any, Any]) -> None:
    one, other = pair
    receiver = Receiver(one)
    for data in (b"a", b"b"):
        assert receiver.receive(10, SOON) is None
        other.sendall(data)
        assert receiver.receive(10, LATER) == data
        began = monotonic()
        assert receiver.receive(10, SOON) is None
        assert monotonic() - began >= SOON * 0.9
    receiver.close()


def test_the_end(pair: tuple[Any, Any]) -> None:
    one, other = pair
    receiver = Receiver(one)
    other.sendall(b"a")
    other.close()

    assert [receiver.receive(10, LATER) for _ in range(3)] == [b"a", b"", b""]
    receiver.close()


def test_what_arrives_during_a_wait(cooperative: tuple[Any, Any]) -> None:
    one, other = cooperative
    receiver = Receiver(one)
    other.sendall(b"a")
    assert receiver.receive(10, LATER) == b"a"
    gevent.spawn_later(SOON, other.sendall, b"b")

    assert receiver.receive(10, LATER) == b"b"
    receiver.close()


def test_a_timer_of_an_earlier_wait_does_not_end_a_later_one(cooperative: tuple[Any, Any]) -> None:
    one, other = cooperative
    receiver = Receiver(one)
    for data in (b"a", b"b"):
        other.sendall(data)
        assert receiver.receive(10, SOON) == data
    gevent.spawn_later(3 * SOON, other.sendall, b"c")

    assert receiver.receive(10, LATER) == b"c"
    receiver.close()


def test_a_shorter_wait_than_the_one_before(cooperative: tuple[Any, Any]) -> None:
    one, other = cooperative
    receiver = Receiver(one)
    other.sendall(b"a")
    receiver.receive(10, LATER)
    gevent.spawn_later(SOON, other.sendall, b"b")
    receiver.receive(10, LATER)  # waits, with a timer of thirty seconds

    assert receiver.receive(10, SOON) is None
    receiver.close()


def test_many_waits_share_a_timer(cooperative: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = cooperative
    receiver, made = Receiver(one), []
    start = Receiver._start_timer
    monkeypatch.setattr(
        Receiver, "_start_timer", lambda self, seconds: (made.append(seconds), start(self, seconds))
    )
    for _ in range(20):
        other.sendall(b"a")
        assert receiver.receive(10, LATER) == b"a"

    assert len(made) == 1
    receiver.close()


def test_closing_ends_a_wait(cooperative: tuple[Any, Any]) -> None:
    one, other = cooperative
    receiver = Receiver(one)
    other.sendall(b"a")
    receiver.receive(10, LATER)
    waiting = gevent.spawn(receiver.receive, 10, LATER)
    gevent.sleep(0)
    receiver.close()

    with pytest.raises(OSError, match="closed"):
        waiting.get(timeout=LATER)
    receiver.close()


def test_half_a_record_is_silence(cooperative: tuple[Any, Any], tmp_path: Path) -> None:
    """The wait for the rest of a TLS record is part of the same time, and reading goes on after it."""
    one, other = cooperative
    server = TlsServer(other, *make_certificate(tmp_path))
    shaking = gevent.spawn(server.shake_hands)
    one.settimeout(LATER)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(one) as client:
        shaking.join()
        client.settimeout(0)
        receiver = Receiver(client)
        record = server.record(b"abc")
        gevent.spawn_later(7 * SOON, other.sendall, record[:9])
        began = monotonic()

        assert receiver.receive(10, 8 * SOON) is None
        assert monotonic() - began < 12 * SOON
        other.sendall(record[9:])
        assert receiver.receive(10, LATER) == b"abc"
        receiver.close()
