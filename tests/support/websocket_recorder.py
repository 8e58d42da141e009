"""A proxy of WebSockets between a client and the gateway, which records their messages."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server, ServerConnection, serve

Json = dict[str, Any]

OWN_HEADERS = ("host", "connection", "upgrade", "content-length")
ABNORMAL = 1006  # without a Close
TERMINAL = ("response.completed", "response.incomplete", "response.failed", "error")


@dataclass
class Recorded:
    """One connection: the messages of its client, and those of the gateway."""

    path: str
    sent: list[Json] = field(default_factory=list)
    received: list[Json] = field(default_factory=list)
    close_code: int | None = None

    @property
    def generations(self) -> list[Json]:
        """The messages that are requests, without those that generate nothing."""
        return [message for message in self.sent if message.get("generate") is not False]

    def faults(self) -> list[str]:
        """
        Return faults that clients do not tolerate: an error without a status, a message after an end.

        For connections without lanes. Source: the Codex CLI ignores the former, and takes the latter for the
        beginning of its next response.
        """
        found = [
            f"no status: {message}"
            for message in self.received
            if message["type"] == "error" and type(message.get("status")) is not int
        ]
        ends = sum(message["type"] in TERMINAL for message in self.received)
        if ends > len(self.sent):
            found.append(f"{ends} ends of {len(self.sent)} responses")
        for last, following in zip(self.received, self.received[1:], strict=False):
            if last["type"] in TERMINAL and following["type"] not in ("response.created", *TERMINAL):
                found.append(f"{following['type']} after {last['type']}")
        return found


class SocketRecorder:
    """Serves at `url` what the gateway serves; `refused` are the statuses of refused handshakes."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._upstreams: dict[ServerConnection, tuple[ExitStack, ClientConnection]] = {}
        self.url = ""
        self.connections: list[Recorded] = []
        self.refused: list[int] = []

    def connect_first(self, client: ServerConnection, request: Request) -> Response | None:
        """Answer a handshake as the gateway does."""
        headers = [
            (name, value)
            for name, value in request.headers.raw_items()
            if name.lower() not in OWN_HEADERS and not name.lower().startswith("sec-websocket")
        ]
        ends = ExitStack()
        connecting = connect(
            self._target + request.path, additional_headers=headers, max_size=None, proxy=None
        )
        try:
            self._upstreams[client] = ends, ends.enter_context(connecting)
        except InvalidStatus as refused:
            response = refused.response
            self.refused.append(response.status_code)
            body = response.body or b""
            shown = Headers({"content-type": "application/json", "content-length": str(len(body))})
            return Response(response.status_code, response.reason_phrase, shown, body)
        except OSError:
            self.refused.append(502)
            return Response(502, "Bad Gateway", Headers({"content-length": "0"}), b"")
        return None

    def relay(self, client: ServerConnection) -> None:
        assert client.request is not None
        ends, upstream = self._upstreams.pop(client)
        recorded = Recorded(client.request.path)
        self.connections.append(recorded)
        back = threading.Thread(target=_pass_on, args=(upstream, client, recorded.received))
        with ends:
            back.start()
            _pass_on(client, upstream, recorded.sent)
            back.join()
            recorded.close_code = upstream.close_code


def _pass_on(
    source: ServerConnection | ClientConnection, target: ServerConnection | ClientConnection, seen: list[Json]
) -> None:
    """Pass on all messages of *source*, then how the connection ended."""
    try:
        with suppress(ConnectionClosed):
            while True:
                message = source.recv()
                seen.append(json.loads(message))
                target.send(message)
    finally:
        code = source.close_code
        if code is None or code == ABNORMAL:
            _hang_up(target)
        else:
            target.close(code)


def _hang_up(connection: ServerConnection | ClientConnection) -> None:
    with suppress(OSError):
        connection.socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def recording_sockets(gateway_url: str) -> Iterator[SocketRecorder]:
    """Yield a recorder in front of *gateway_url*."""
    recorder = SocketRecorder(gateway_url.replace("http", "ws", 1))
    server: Server = serve(
        recorder.relay, "127.0.0.1", 0, process_request=recorder.connect_first, max_size=None
    )
    recorder.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
