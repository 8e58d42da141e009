"""
Plays performed on a socket.

A play is data:

    {"status": 200,            None sends no head at all
     "headers": {…},
     "framing": "chunked",     or "length" (a Content-Length, unless `headers` has one), or "close"
     "before": [step, …],      before the head; what they send goes out as it is
     "steps":  [step, …],      the body; it is ended properly when they run out
     "afterwards": [step, …]}  after the end of the body

and a step is one of

    {"send": "text"} {"send_b64": "…"}    a piece of the body, in its framing; "by": n cuts it
                                          into n bytes each
    {"raw": "text"} {"raw_b64": "…"}      bytes as they are, past the framing
    {"sleep": 0.2}                        seconds
    {"gate": "name"}                      until the gate is released
    {"stall": true}                       until the client is gone
    {"end": true}                         ends the body properly here
    {"close": true} {"reset": true}       hangs up here, with FIN or RST

with `"bill": {"output_tokens": 1, …}` for what it adds to the bill.
"""

from __future__ import annotations

import base64
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.event import Event
from gevent.socket import wait_read

from tests.support.http_server import LAST_CHUNK, chunk, head
from tests.support.upstream_log import Log, Seen

Json = dict[str, Any]


class Gates:
    """Named gates; an opened gate stays open."""

    def __init__(self) -> None:
        self._gates: dict[str, Event] = {}

    def named(self, name: str) -> Event:
        return self._gates.setdefault(name, Event())

    def release(self, name: str) -> None:
        self.named(name).set()

    def forget(self) -> None:
        self._gates.clear()


class Over(Exception):
    """The play ends here; the argument is the entry's `end`."""


class Player:
    def __init__(self, sock: Any, seen: Seen, log: Log, gates: Gates) -> None:
        self.seen = seen
        self._sock = sock
        self._log = log
        self._gates = gates
        self._gone = Event()  # the client left, or the whole upstream was reset

    def perform(self, play: Json) -> bool:
        """Play to the end. Returns whether the connection can serve another request."""
        watcher = gevent.spawn(self._watch)
        try:
            self._perform(play)
            end = "finished"
        except Over as over:
            end = str(over)
        except OSError:
            end = "client_closed"
        finally:
            watcher.kill()  # before anything else reads the socket
        if self.seen.end is None:
            self._ended(end)
        return self.seen.end == "finished" and end == "finished" and play.get("framing") != "close"

    def hang_up(self) -> None:
        self._gone.set()

    def _perform(self, play: Json) -> None:
        framing = play.get("framing", "chunked")
        frame = chunk if framing == "chunked" else bytes
        self._run(play.get("before", ()), bytes)
        steps = play.get("steps", ())
        if (status := play.get("status", 200)) is not None:
            self._write(head(status, _headers(play, framing, steps)))
            self.seen.status = status
        try:
            self._run(steps, frame)
        except Over as over:
            if str(over) != "finished":
                raise
        if framing == "chunked" and status is not None:
            self._write(LAST_CHUNK)
        self._ended("finished")
        self._run(play.get("afterwards", ()), bytes)

    def _run(self, steps: Iterable[Json], frame: Callable[[bytes], bytes]) -> None:
        for step in steps:
            self._step(step, frame)
            for name, tokens in step.get("bill", {}).items():
                self.seen.billed[name] += tokens

    def _step(self, step: Json, frame: Callable[[bytes], bytes]) -> None:
        if "send" in step or "send_b64" in step:
            data = _bytes(step, "send")
            size = step.get("by") or len(data) or 1
            for start in range(0, len(data), size):
                self._write(frame(data[start : start + size]))
        elif "raw" in step or "raw_b64" in step:
            self._write(_bytes(step, "raw"))
        elif "sleep" in step:
            self._gone.wait(step["sleep"])
        elif "gate" in step:
            self._wait_at(step["gate"])
        elif "stall" in step:
            self._gone.wait()
        elif "end" in step:
            raise Over("finished")
        elif "close" in step:
            raise Over("closed")
        elif "reset" in step:
            # With a linger time of zero, the following close sends a RST.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Over("reset")
        if self._gone.is_set():
            raise Over("client_closed")

    def _wait_at(self, name: str) -> None:
        self.seen.gate = name
        self._log.changed()
        gevent.wait([self._gates.named(name), self._gone], count=1)
        self.seen.gate = None

    def _write(self, data: bytes) -> None:
        self._sock.sendall(data)
        self.seen.bytes_sent += len(data)

    def _watch(self) -> None:
        """Notice that the client closes, without consuming bytes that it may send instead."""
        wait_read(self._sock.fileno())
        try:
            if self._sock.recv(1, socket.MSG_PEEK):
                return
        except OSError:
            pass
        self._ended("client_closed")
        self._gone.set()

    def _ended(self, end: str) -> None:
        """
        Record how the play ended; the first report counts, since a client may disconnect before the end.
        """
        if self.seen.end is None:
            self.seen.end, self.seen.ended_at = end, time.time()
            self._log.changed()


def _headers(play: Json, framing: str, steps: Iterable[Json]) -> dict[str, str]:
    given = {name.lower(): str(value) for name, value in play.get("headers", {}).items()}
    if framing == "length":
        size = sum(len(_bytes(step, "send")) for step in steps if {"send", "send_b64"} & step.keys())
        return {"content-length": str(size), **given}
    if framing == "close":
        return {"connection": "close", **given}
    return {"transfer-encoding": "chunked", **given}


def _bytes(step: Json, name: str) -> bytes:
    return step[name].encode() if name in step else base64.b64decode(step[f"{name}_b64"])
