"""Send the messages of a connection through the application, each as one ordinary POST request."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.websocket.response import VARIABLE, SocketResponse

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
Environ = dict[str, Any]

# Headers of the handshake only: they describe its connection or body, or are ids that differ by request.
_OF_HANDSHAKE = frozenset(
    f"HTTP_{name}"
    for name in (
        *("UPGRADE", "CONNECTION", "KEEP_ALIVE", "TE", "TRAILER", "TRANSFER_ENCODING", "EXPECT", "ORIGIN"),
        *("CONTENT_ENCODING", "ACCEPT", "ACCEPT_ENCODING", "IDEMPOTENCY_KEY", "X_REQUEST_ID", "REQUEST_ID"),
    )
)
_PREFIXES = ("HTTP_SEC_", "gunicorn.", "werkzeug.", "flask.")


@dataclass(frozen=True, slots=True)
class Head:
    """The status and the headers of a response, with lower-case names."""

    status: int
    headers: Mapping[str, str]


def environ_of(
    handshake: Environ, headers: Mapping[str, str], body: bytes, response: SocketResponse
) -> Environ:
    """Return the environment of a POST to the address of *handshake*, with its headers and *headers*."""
    inherited = {
        name: value
        for name, value in handshake.items()
        if name not in _OF_HANDSHAKE and not name.startswith(_PREFIXES)
    }
    return {
        **inherited,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        VARIABLE: response,
    }


class ApplicationResponse:
    """The response of the application to one request; `close` must be called."""

    def __init__(self, application: Application, environ: Environ) -> None:
        self._head: Head | None = None
        self._chunks = application(environ, self._start)

    def _start(self, status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        self._head = Head(int(status.split(" ", 1)[0]), {name.lower(): value for name, value in headers})

    @property
    def head(self) -> Head:
        assert self._head is not None
        return self._head

    @property
    def chunks(self) -> Iterable[bytes]:
        return self._chunks

    def close(self) -> None:
        if close := getattr(self._chunks, "close", None):
            close()
