"""Small proxies: for HTTP, which also open tunnels, and for SOCKS5."""

from __future__ import annotations

import select
import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Seen = list[tuple[str, str]]  # the address that was requested, and the credentials: `user:password` or ''


@contextmanager
def http_proxy(password: str = "") -> Iterator[tuple[int, Seen]]:
    """Yield the port of a proxy, and what it receives; with *password*, it refuses other ones."""
    with _serving(lambda client, seen: _serve_http(client, seen, password)) as serving:
        yield serving


@contextmanager
def socks_proxy() -> Iterator[tuple[int, Seen]]:
    """Yield the port of a SOCKS5 proxy that requires credentials, and what it receives."""
    with _serving(_serve_socks) as serving:
        yield serving


@contextmanager
def _serving(serve: Callable[[socket.socket, Seen], None]) -> Iterator[tuple[int, Seen]]:
    seen: Seen = []

    def serve_quietly(client: socket.socket) -> None:
        with suppress(OSError), client:
            serve(client, seen)

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                threading.Thread(target=serve_quietly, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1], seen
        listening.shutdown(socket.SHUT_RDWR)


def _serve_http(client: socket.socket, seen: Seen, password: str) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        if not (data := client.recv(65536)):
            return
        head += data
    method, target, _ = head.split(b" ", 2)
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n\r\n")[0].split(b"\r\n")[1:])
    given = _basic(head) if b"proxy-authorization" in fields else ""
    seen.append((f"{method.decode()} {target.decode()}", given))
    if password and given.partition(":")[2] != password:
        client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        return
    place = target if method == b"CONNECT" else target.split(b"/", 3)[2]
    host, _, port = place.decode().rpartition(":")
    with socket.create_connection((host, int(port))) as upstream:
        if method == b"CONNECT":
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            path = b"/" + target.split(b"/", 3)[3]
            upstream.sendall(head.replace(target, path, 1).replace(b"keep-alive", b"close"))
        _pump(client, upstream)


def _basic(head: bytes) -> str:
    line = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"proxy-authorization"))
    return b64decode(line.rpartition(b" ")[2]).decode()


def _serve_socks(client: socket.socket, seen: Seen) -> None:
    """
    Serve one client. Source: https://www.rfc-editor.org/rfc/rfc1928, https://www.rfc-editor.org/rfc/rfc1929.
    """
    reader = client.makefile("rb")
    methods = reader.read(reader.read(2)[1])
    credentials = ""
    if 2 in methods:
        client.sendall(b"\x05\x02")
        reader.read(1)
        user, password = (reader.read(reader.read(1)[0]).decode() for _ in range(2))
        credentials = f"{user}:{password}"
        client.sendall(b"\x01\x00")
    else:
        client.sendall(b"\x05\x00")
    kind = reader.read(4)[3]
    host = socket.inet_ntoa(reader.read(4)) if kind == 1 else reader.read(reader.read(1)[0]).decode()
    port = int.from_bytes(reader.read(2), "big")
    seen.append((f"{host}:{port}", credentials))
    with socket.create_connection(("127.0.0.1" if kind == 3 else host, port)) as upstream:
        client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        _pump(client, upstream)


def _pump(one: socket.socket, other: socket.socket) -> None:
    while True:
        for source in select.select([one, other], [], [])[0]:
            data = source.recv(65536)
            if not data:
                return
            (other if source is one else one).sendall(data)
