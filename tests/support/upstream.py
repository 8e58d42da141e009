"""
A scripted upstream: a real HTTP process that follows a test's script, byte by byte.

    python -m tests.support.upstream [ADDRESS]    prints {"port": N}, ends when its stdin closes

The first step of a path is the account: `http://127.0.0.1:N/<account>/v1` is a base URL, and
whatever follows the account is free (`/backend-api/codex/responses`, `/oauth/token`). Without
a script it answers as `app.demo` does. The control calls, which `ScriptedUpstream` makes:

    POST /_script   {account, model, path, plays, repeat}   `upstream_script.Scripts`
    POST /_release  {gate}          lets every play past that gate, now and later
    POST /_reset    {account}       forgets scripts, gates and log; hangs up on what still plays
    GET  /_log      ?account=       every request seen, as `upstream_log.Seen`
    POST /_take     {account}       the same of those that ended, which it then forgets
    GET  /_wait     ?account=&path=&end=&gate=&count=&timeout=   the same, once there are *count*
    GET  /_billed   ?account=       tokens billed, by account

`account` is a pattern there (`t1.*`). What a play is: `upstream_player` for the steps,
`upstream_plays` for those with a name; `upstream_websocket` has Responses over a WebSocket.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import gevent
import gevent.socket
import orjson
from gevent.server import StreamServer

from tests.support.http_server import HttpError, Request, json_response, read_request
from tests.support.upstream_log import Log
from tests.support.upstream_player import Gates, Player
from tests.support.upstream_plays import checked, expanded, json_play
from tests.support.upstream_script import Scripts
from tests.support.upstream_websocket import (
    HANDSHAKE,
    NOT_FOUND,
    Conversation,
    WebSocketPlayer,
    WebSocketServer,
    accept,
    is_handshake,
)

Json = dict[str, Any]


class Upstream:
    def __init__(self) -> None:
        self._scripts = Scripts()
        self._log = Log()
        self._gates = Gates()
        self._players: set[Player] = set()
        self._connections = 0

    def serve(self, sock: Any, address: Any) -> None:
        """Serve one connection until either side closes it."""
        self._connections += 1
        connection = self._connections
        reader = sock.makefile("rb")
        try:
            while (request := read_request(reader, sock)) is not None:
                if is_handshake(request):
                    self._serve_websocket(sock, reader, request, connection)
                    return
                if request.path.startswith("/_"):
                    sock.sendall(self._control(request))
                elif not self._play(sock, request, connection):
                    return
        except HttpError as error:
            sock.sendall(json_response(error.status, error.envelope, {"connection": "close"}))
        except OSError:
            return  # the client left between two requests
        finally:
            reader.close()

    def _play(self, sock: Any, request: Request, connection: int) -> bool:
        """Play what is scripted for *request*. Returns whether the connection lives on."""
        _, account, path = request.path.split("/", 2) if request.path.count("/") > 1 else ("", "", "")
        body = _json(request.body)
        play = self._scripts.next(account, (body or {}).get("model"), f"/{path}")
        play = play or {"play": "answer"}
        seen = self._log.add(account, f"/{path}", request, body, connection, play.get("play"))
        player = Player(sock, seen, self._log, self._gates)
        self._players.add(player)
        try:
            return player.perform(expanded(play, seen)) and request.keep_alive
        finally:
            self._players.discard(player)

    def _serve_websocket(self, sock: Any, reader: Any, request: Request, connection: int) -> None:
        """Serve a connection as `upstream_websocket` does, or answer its handshake with what is scripted."""
        _, account, path = request.path.split("/", 2)
        seen = self._log.add(account, HANDSHAKE, request, None, connection, None)
        play = self._scripts.next(account, None, HANDSHAKE) or {}
        if play.get("status", 101) != 101 or "play" in play:
            Player(sock, seen, self._log, self._gates).perform(expanded(play, seen))
            return
        accept(sock, request, play.get("headers", {}))
        seen.status, seen.end = 101, "finished"
        self._log.changed()

        def perform(message: bytes, conversation: Conversation) -> bool:
            sent = replace(request, method="WEBSOCKET", body=message)
            return self._play_message(sock, sent, (account, f"/{path}"), connection, conversation)

        WebSocketServer(sock, reader, perform).serve()

    def _play_message(
        self, sock: Any, request: Request, place: tuple[str, str], connection: int, conversation: Conversation
    ) -> bool:
        """Play what is scripted for the message in *request*. Returns whether the connection lives on."""
        (account, path), message = place, _json(request.body) or {}
        body = conversation.complete_body(message)
        play = (self._scripts.next(account, message.get("model"), path) if body else None) or {
            "play": "answer"
        }
        seen = self._log.add(account, path, request, message, connection, play.get("play"))
        player = WebSocketPlayer(sock, seen, self._log, self._gates, conversation)
        self._players.add(player)
        try:
            if body is None:
                return player.perform(json_play(400, {"error": NOT_FOUND}))
            return player.perform(expanded(play, replace(seen, body=body)))
        finally:
            self._players.discard(player)

    def _control(self, request: Request) -> bytes:
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        account = query.get("account", "*")
        if request.path == "/_log":
            return json_response(200, self._log.matching(account), {})
        if request.path == "/_billed":
            return json_response(200, self._log.billed(account), {})
        if request.path == "/_wait":
            enough, entries = self._log.wait(**query)
            return json_response(200 if enough else 408, entries, {})
        body = request.json()
        if request.path == "/_take":
            return json_response(200, self._log.take(body.get("account", "*")), {})
        if request.path == "/_script":
            self._scripts.add(**{**body, "plays": [checked(play) for play in body["plays"]]})
        elif request.path == "/_release":
            self._gates.release(body["gate"])
        elif request.path == "/_reset":
            self._reset(body.get("account", "*"))
        else:
            raise HttpError(404, f"No such control call: {request.path}")
        return json_response(200, {}, {})

    def _reset(self, account: str) -> None:
        self._scripts.forget(account)
        for player in [each for each in self._players if each.seen.belongs_to(account)]:
            player.hang_up()
        self._gates.forget()
        self._log.forget(account)


def _json(body: bytes) -> Json | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def main() -> None:
    listener = gevent.socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    listener.bind((sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1", 0))
    listener.listen(1024)
    server = StreamServer(listener, Upstream().serve)
    server.start()
    print(orjson.dumps({"port": server.server_port}).decode(), flush=True)
    gevent.socket.wait_read(sys.stdin.fileno())


if __name__ == "__main__":
    main()
