"""WebSocket connections whose clients are slow, broken or hostile: they end, and hold little until then."""

from __future__ import annotations

import os
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from tests.bench.processes import resident_mib
from tests.support import raw_http
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream
from tests.support.websocket import PATH, socket_of, text_in

MIB = 1024 * 1024
MESSAGE_MIB = 4  # the limit of /v1/responses: four times that of other bodies
SLOW_SECONDS, IDLE_SECONDS = 2, 3
TEXT, CONTINUATION, CLOSE, PING = 1, 0, 8, 9
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("home")
    settings = {
        "POOLGATE_WEBSOCKET": "on",
        "POOLGATE_MAX_BODY_MIB": str(MESSAGE_MIB // 4),
        "POOLGATE_SLOW_CLIENT_SECONDS": str(SLOW_SECONDS),
        "POOLGATE_WEBSOCKET_IDLE_SECONDS": str(IDLE_SECONDS),
    }
    app = "tests.support.counted_greenlets:app"
    with running_gateway(redis_url, home, workers=1, app=app, **settings) as running:
        yield running


@pytest.fixture
def pool(gateway: Gateway, upstream: ScriptedUpstream) -> PoolOfTest:
    pool = gateway.pool()
    pool.account("a", upstream.base_url())
    return pool


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    compressed: bool = False,
    size: int | None = None,
) -> bytes:
    """Return a frame of a client; *size* is what its head has in place of the size of *payload*."""
    size = len(payload) if size is None else size
    first = opcode | (0x80 if final else 0) | (0x40 if compressed else 0)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    return head + bytes(4) + payload  # a mask of zeros changes nothing


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


class HandshakeRefused(Exception):
    """The status was not 101. The message is the head of the response."""


class RawSocket:
    """A connection after its handshake, whose bytes are the test's own."""

    def __init__(self, pool: PoolOfTest, key: str, *lines: str) -> None:
        host, port = pool.gateway.url.removeprefix("http://").split(":")
        self.sock = socket.create_connection((host, int(port)), timeout=30)
        self.sock.sendall(
            raw_http.head(
                "GET",
                PATH,
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                f"Authorization: Bearer {key}",
                *lines,
            )
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.sock.recv(1)
        if not head.startswith(b"HTTP/1.1 101 "):
            self.sock.close()
            raise HandshakeRefused(head.decode())

    def __enter__(self) -> RawSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        with suppress(OSError):  # the gateway may have hung up
            self.sock.sendall(data)

    def frames(self) -> list[tuple[int, bytes]]:
        """Read until the end, and return the frames as (opcode, payload)."""
        data = b""
        with suppress(ConnectionError):
            while piece := self.sock.recv(65536):
                data += piece
        found = []
        while data:
            size, at = data[1], 2
            if size == 126:
                size, at = struct.unpack_from("!H", data, 2)[0], 4
            found.append((data[0] & 0x0F, data[at : at + size]))
            data = data[at + size :]
        return found

    def close_code(self) -> int | None:
        """Read until the end, and return the code of the gateway's Close."""
        codes = [struct.unpack_from("!H", payload)[0] for opcode, payload in self.frames() if opcode == CLOSE]
        assert len(codes) <= 1
        return codes[0] if codes else None


def test_an_idle_connection_is_closed(pool: PoolOfTest) -> None:
    """Also after a response, and although it answers pings."""
    with socket_of(pool, pool.key()) as client:
        assert client.respond()[-1]["type"] == "response.completed"
        began = time.monotonic()
        assert client.close_code() == 1000
        assert time.monotonic() - began > IDLE_SECONDS / 2


class TestFrames:
    @pytest.mark.parametrize("form", ["one frame", "fragments", "compressed", "announced"])
    def test_too_large(self, pool: PoolOfTest, form: str) -> None:
        """The client learns why; the process holds no more than the limit."""
        (worker,) = pool.gateway.children()
        bomb = frame(TEXT, deflated(bytes(200 * MIB)), compressed=True) if form == "compressed" else b""
        with RawSocket(pool, pool.key(), *([DEFLATE] if bomb else [])) as client:
            before = resident_mib(worker)
            if form == "one frame":
                client.send(frame(TEXT, bytes(MESSAGE_MIB * MIB + 1)))
            elif form == "fragments":
                client.send(frame(TEXT, b"{", final=False))
                client.send(frame(CONTINUATION, bytes(MIB), final=False) * MESSAGE_MIB)
            elif form == "compressed":
                client.send(bomb)
            else:
                client.send(frame(TEXT, bytes(MESSAGE_MIB * MIB + 1), size=2**62))
            *_, (first, error), (last, code) = client.frames()

        assert (first, last) == (TEXT, CLOSE)
        assert b'"status":413' in error
        assert struct.unpack_from("!H", code)[0] == 1009
        assert resident_mib(worker) - before < 4 * MESSAGE_MIB + 10

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (frame(TEXT, b"\xff\xfe"), 1007),
            (frame(TEXT, b"{}")[:1] + b"\x02{}", 1002),  # not masked
            (frame(TEXT, deflated(b"{}"), compressed=True), 1002),  # not agreed
            (frame(PING, bytes(126)), 1002),
            (frame(3), 1002),
            (frame(CONTINUATION, b"{}"), 1002),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1002),
        ],
    )
    def test_violations(self, pool: PoolOfTest, data: bytes, code: int) -> None:
        with RawSocket(pool, pool.key()) as client:
            client.send(data)

            assert client.close_code() == code

    def test_one_of_a_message_that_never_ends(self, pool: PoolOfTest) -> None:
        """A connection whose client only begins a message is idle."""
        with RawSocket(pool, pool.key()) as client:
            client.send(frame(TEXT, b'{"type":', final=False))

            assert client.close_code() == 1000


class TestFloods:
    def test_pings_of_a_client_that_does_not_read(self, pool: PoolOfTest) -> None:
        """It is disconnected; others are served meanwhile."""
        key = pool.key()
        with RawSocket(pool, key) as flood, socket_of(pool, key) as other:
            flood.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            flood.sock.settimeout(SLOW_SECONDS + 20)
            pings = frame(PING, bytes(125)) * 1000
            with suppress(ConnectionError):
                for _ in range(1000):
                    flood.sock.sendall(pings)
                    assert other.respond()[-1]["type"] == "response.completed"
                pytest.fail("it was not disconnected")

    def test_messages_that_are_no_requests(self, pool: PoolOfTest) -> None:
        with socket_of(pool, pool.key()) as client:
            for _ in range(500):
                client.send("{")
            for _ in range(500):
                assert client.receive()["status"] == 400
            assert client.respond()[-1]["type"] == "response.completed"

    def test_requests_of_one_lane(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """They run one after another, and each is answered: those that cannot wait with an error."""
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
        with socket_of(pool, pool.key()) as client:
            for _ in range(100):
                client.create()
            upstream.wait_for(gate="go")
            assert len(upstream.log()) == 1
            upstream.release("go")
            ends = [client.until_end()[-1] for _ in range(100)]

        refused = [end for end in ends if end["type"] == "error"]
        assert {end["error"]["code"] for end in refused} == {"websocket_queue_full"}
        assert len(pool.wait_for_rows(100 - len(refused))) == 100 - len(refused)
        assert pool.open_leases() == 0


def test_a_client_that_takes_nothing(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Its upstream stops, and it is disconnected."""
    upstream.script({"play": "text", "text": "x" * 65536 * 400, "deltas": 400})
    with RawSocket(pool, pool.key()) as client:
        client.send(frame(TEXT, b'{"type":"response.create","model":"m","input":"Hello"}'))
        (seen,) = upstream.wait_for(1, end="any", timeout_seconds=SLOW_SECONDS + 10)

    assert seen.end in ("client_closed", "reset")
    (row,) = pool.wait_for_rows(1)
    assert row["error"] == "client_gone"
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def sockets_of(worker: int) -> int:
    """Return how many sockets the process *worker* has open."""
    count = 0
    for entry in os.scandir(f"/proc/{worker}/fd"):
        with suppress(OSError):
            count += os.readlink(entry.path).startswith("socket:")
    return count


def greenlets_of(gateway: Gateway) -> int:
    return int(requests.get(gateway.url + "/_greenlets", timeout=10).text)


def reset(client: RawSocket) -> None:
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


CREATE = frame(TEXT, b'{"type":"response.create","model":"m","input":"Hello"}')
BEGINNINGS: dict[str, bytes] = {
    "nothing": b"",
    "a response": CREATE,
    "half a frame": CREATE[:-5],
    "half a message": frame(TEXT, b"{", final=False),
    "a response, and another that waits": CREATE + CREATE,
    "what is no request": frame(TEXT, b"{") * 5,
}
ENDS: dict[str, Callable[[RawSocket], object]] = {
    "no Close": lambda client: None,
    "a reset": reset,
    "Close": lambda client: client.send(frame(CLOSE, struct.pack("!H", 1000))),
    "Close, and its answer": lambda client: (client.send(frame(CLOSE)), client.frames()),
    "no frame": lambda client: client.send(b"GET / HTTP/1.1\r\n\r\n"),
    "a violation": lambda client: (client.send(frame(3)), client.frames()),
    "half of a Close": lambda client: client.sock.shutdown(socket.SHUT_WR),
}
ROUNDS = 2  # of each beginning with each end


def test_connections_that_end_in_every_way(
    pool: PoolOfTest, gateway: Gateway, upstream: ScriptedUpstream
) -> None:
    """No lease, greenlet or socket is left of them."""
    (worker,) = gateway.children()
    key = pool.key()
    with socket_of(pool, key) as client:
        client.respond()
    assert eventually(lambda: pool.open_leases() == 0)
    sockets, greenlets = sockets_of(worker), greenlets_of(gateway)
    slow = {"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"stall": True}]}}
    upstream.script({"before": [{"stall": True}]}, slow, {"play": "text"}, repeat="cycle")
    for _ in range(ROUNDS):
        for beginning in BEGINNINGS.values():
            for end in ENDS.values():
                with RawSocket(pool, key) as raw:
                    raw.send(beginning)
                    end(raw)

    assert eventually(lambda: pool.open_leases() == 0 and pool.in_flight() == 0, seconds=20)
    assert eventually(lambda: sockets_of(worker) <= sockets + 2, seconds=20)  # those to upstreams stay open
    assert eventually(lambda: greenlets_of(gateway) <= greenlets + 2, seconds=20)
    rows = pool.rows()
    assert len({row["id"] for row in rows}) == len(rows)


def test_many_at_once(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """More than a key may have are refused with 426: their clients use HTTP. Then there is room again."""
    key = pool.key()
    with ExitStack() as clients:
        for _ in range(100):
            clients.enter_context(RawSocket(pool, key))
        with pytest.raises(HandshakeRefused, match=r"HTTP/1\.1 426 "):
            RawSocket(pool, key)
    assert eventually(lambda: not refuses(pool, key), seconds=10)
    with socket_of(pool, key) as client:
        assert text_in(client.respond())


def refuses(pool: PoolOfTest, key: str) -> bool:
    try:
        with RawSocket(pool, key):
            return False
    except HandshakeRefused:
        return True
