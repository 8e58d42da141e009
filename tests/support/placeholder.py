"""A WSGI app with one slow stream, to test how gunicorn serves and stops."""

from __future__ import annotations

import gc
import os
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from flask import Flask, Response, request
from gevent.event import Event

stopping, ended = Event(), Event()


def drain(seconds: float) -> None:
    """Replace ActiveCalls.drain: notify the stream that it should end, and wait for it."""
    stopping.set()
    ended.wait(seconds)


class NoSettlements:
    def __len__(self) -> int:
        return 0

    def recover_spooled(self) -> None:
        pass

    def spool_pending(self) -> None:
        pass


app = Flask("placeholder")
app.services = SimpleNamespace(  # type: ignore[attr-defined]
    active=SimpleNamespace(drain=drain),
    recordings=None,
    lost_replies=SimpleNamespace(flush=lambda: 0),
    tracing=None,
    ledger=SimpleNamespace(settlements=NoSettlements(), refusal_log=SimpleNamespace(flush=lambda: None)),
    feeds=SimpleNamespace(stop=lambda: None),
    websockets=SimpleNamespace(stop=lambda: None),
)
app.trust = lambda proxies: None  # type: ignore[attr-defined]


@app.get("/health/ready")
def ready() -> str:
    return "ready"


@app.post("/v1/echo")
def echo() -> bytes:
    """Return the body."""
    return request.get_data()


@app.get("/bad-header")
def bad_header() -> Response:
    """Return a header that no server may send."""
    return Response("x", headers={"x-name": "\u540d"})


hoarded: list[int] = []


@app.get("/hoard")
def hoard() -> str:
    """Open all but a few of the files that this process may open."""
    with suppress(OSError):
        while True:
            hoarded.append(os.open(os.devnull, os.O_RDONLY))
    for descriptor in hoarded[:8]:
        os.close(descriptor)
    return "full"


@app.get("/process")
def process() -> dict[str, Any]:
    """Return facts about the worker process."""
    return {
        "frozen": gc.get_freeze_count(),
        "collects_after": gc.get_threshold(),
        "poll": select.poll.__module__,
        "socket": socket.socket.__module__,
    }


@app.get("/stream/<float:seconds>")
def stream(seconds: float) -> Response:
    """Send `begun`, and after *seconds* `done`, or `cut` if it is stopped before."""

    def parts() -> Iterator[str]:
        yield "begun\n"
        yield "cut\n" if stopping.wait(seconds) else "done\n"
        ended.set()

    return Response(parts(), mimetype="text/plain")
