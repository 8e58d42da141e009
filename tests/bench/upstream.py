"""
An upstream that costs next to nothing: `python -m tests.bench.upstream` prints its port and serves.

The address determines the response: `/<deltas>/<pace_ms>/v1/chat/completions`, or `/v1/responses`.
With a pace it sends one delta every so many milliseconds, with the moment in it: `tok <ns> `.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import re  # noqa: E402
import socket  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.server import StreamServer  # noqa: E402

from tests.bench import responses  # noqa: E402

_LINE = re.compile(rb"POST /(\d+)/(\d+)/v1/(chat|responses)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAMED = re.compile(rb'"stream": ?true')


def serve(sock: Any, _: Any) -> None:
    """Answer the requests of one connection."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    try:
        while True:
            while b"\r\n\r\n" not in data:
                data += (more := sock.recv(65536))
                if not more:
                    return
            head, _, body = data.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            pieces, left = [body], int(length[1] if length else 0) - len(body)
            while left > 0:
                pieces.append(more := sock.recv(262144))
                if not more:
                    return
                left -= len(more)
            data = b""  # no client pipelines here
            response(sock, head, b"".join(pieces))
    except OSError:
        pass  # the client has disconnected
    finally:
        sock.close()


def response(sock: Any, head: bytes, body: bytes) -> None:
    line = _LINE.match(head)
    if line is None:
        sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return
    deltas, pace_ms, wire = int(line[1]), int(line[2]), line[3].decode()
    if pace_ms:
        paced(sock, wire, deltas, pace_ms / 1000)
    elif _STREAMED.search(body):
        sock.sendall(responses.burst(wire, deltas))
    else:
        sock.sendall(responses.complete(wire, deltas))


def paced(sock: Any, wire: str, deltas: int, pace_seconds: float) -> None:
    started = time.monotonic()
    sock.sendall(responses.STREAM_HEAD + responses.framed(responses.opening(wire)))
    text = ""
    for number in range(deltas):
        gevent.sleep(max(0.0, started + (number + 1) * pace_seconds - time.monotonic()))
        sent_text = f"{responses.TOKEN}{time.monotonic_ns()} "
        text += sent_text if wire == responses.RESPONSES else ""
        sock.sendall(responses.framed(responses.delta(wire, number, sent_text)))
    sock.sendall(responses.framed(responses.ending(wire, deltas, text)) + responses.LAST_CHUNK)


if __name__ == "__main__":
    server = StreamServer(("127.0.0.1", 0), serve, backlog=2048)
    server.start()
    print(server.server_port, flush=True)
    server.serve_forever()
