"""
The OAuth callback of a sign-in: a page on loopback, whose address can also be pasted by hand.

Source: https://www.rfc-editor.org/rfc/rfc8252#section-7.3 (loopback redirection).
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

from app.errors import InvalidRequest
from app.operations.sign_ins import code_in

PATH = "/auth/callback"
MAX_BYTES = 65536
_SUCCESS_PAGE = b"<!doctype html><title>Poolgate</title><p>Signed in. You can close this page."
_UNKNOWN_PAGE = b"<!doctype html><title>Poolgate</title><p>This page does not belong to a pending sign-in."


class Callback:
    """A callback server that runs during its `with` block. *state* identifies the sign-in."""

    def __init__(self, port: int, state: str, stdin: int | None) -> None:
        self._state = state
        self._stdin = stdin
        self._arrived, self._arrived_writer = os.pipe()  # one line per requested address
        self._server: ThreadingHTTPServer | None = None
        with suppress(OSError):  # the port is in use: the address can still be pasted
            self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.listening = self._server is not None
        self.redirect_uri = f"http://127.0.0.1:{self._server.server_port if self._server else port}{PATH}"

    def __enter__(self) -> Self:
        if self._server is not None:
            Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        os.close(self._arrived)
        os.close(self._arrived_writer)

    def wait(self, seconds: float, echo: Callable[[str], object]) -> str:
        """
        Return the code from the callback page or from standard input.

        Raises InvalidRequest if the sign-in was refused, or is not completed in *seconds*.
        """
        deadline = time.monotonic() + seconds
        sources = [self._arrived] + ([] if self._stdin is None else [self._stdin])
        while (left := deadline - time.monotonic()) > 0:
            for source in select.select(sources, [], [], left)[0]:
                address = os.read(source, MAX_BYTES).decode(errors="replace").strip()
                if code := self._code_in(address):
                    return code
                if not address:
                    sources.remove(source)  # the end of standard input, or an empty line
                else:
                    echo("That address does not belong to a pending sign-in.")
        raise InvalidRequest("The sign-in was not completed in time; please start again")

    def _code_in(self, address: str) -> str | None:
        """Return the code in *address*, None if it belongs to another sign-in."""
        return code_in(address, self._state)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        callback = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10  # browsers may connect without sending a request

            def do_GET(self) -> None:
                expected = self.path.startswith(PATH) and callback._is_expected(self.path)
                page = _SUCCESS_PAGE if expected else _UNKNOWN_PAGE
                self.send_response(200 if expected else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)
                if expected:
                    os.write(callback._arrived_writer, self.path.encode() + b"\n")

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing: the address contains the code."""

        return Handler

    def _is_expected(self, address: str) -> bool:
        try:
            return self._code_in(address) is not None
        except InvalidRequest:
            return True  # the sign-in was refused: `wait` reports it
