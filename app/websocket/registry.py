"""The WebSocket connections of this process: limits on their number, and their end when it stops."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import gevent
import structlog
from wsproto.extensions import Extension

from app import descriptors
from app.config import Settings
from app.errors import UpgradeRefused
from app.websocket import handshake
from app.websocket.bounds import MessageBudget
from app.websocket.connection import LOST, ConnectionLimits, WebSocketConnection
from app.websocket.continuation import ConversationMemory
from app.websocket.frames import JsonObject
from app.websocket.requests import Application, Environ
from app.websocket.session import SessionLimits, SharedMemory, WebSocketSession

log = structlog.get_logger()

CONNECTIONS_SHARE = 0.75  # share of the process's connections; the others are for HTTP requests
WAITING_MESSAGES = 2  # messages of the largest size that may wait for their lanes


@dataclass(frozen=True, slots=True)
class ConnectionSummary:
    """A connection that has ended: the code of its Close, its duration, and its messages and responses."""

    code: int
    seconds: float
    received: int
    sent: int
    responses: int


class WebSockets:
    """The open connections, by API key."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sessions: set[WebSocketSession] = set()
        self._by_key: Counter[str] = Counter()
        self._is_stopping = False
        self._max = 0
        self.memory = SharedMemory(ConversationMemory(), MessageBudget())

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def is_on(self) -> bool:
        """Whether handshakes are accepted at all."""
        return self._settings.websocket == "on"

    def check(self, key_id: str) -> None:
        """Raise UpgradeRefused if no connection is possible: clients then use HTTP immediately."""
        if not self.is_on:
            raise UpgradeRefused("This gateway does not speak WebSocket; send POST requests")
        if self._is_stopping:
            raise UpgradeRefused("This gateway process is stopping; send POST requests")
        self._max = self._max or int(descriptors.max_requests() * CONNECTIONS_SHARE)
        if len(self._sessions) >= self._max:
            raise UpgradeRefused("This gateway process has too many connections; send POST requests")
        if self._by_key[key_id] >= self._settings.websockets_per_key:
            raise UpgradeRefused("This API key has too many WebSocket connections; send POST requests")

    def serve(
        self,
        environ: Environ,
        key_id: str,
        headers: list[tuple[str, str]],
        application: Application,
        parse: Callable[[bytes], JsonObject],
    ) -> ConnectionSummary:
        """Accept the handshake of *environ*, which was checked, and serve the connection until it ends."""
        response, extensions = handshake.accept(environ, self._settings.max_responses_body_bytes, headers)
        connection = self._connection(environ, extensions)
        session = WebSocketSession(
            connection, application, environ, parse, self._session_limits(), self.memory
        )
        self._sessions.add(session)
        self._by_key[key_id] += 1
        try:
            with suppress(OSError):
                connection.send(response)
            connection.run(session, _early(environ))
        except Exception as error:
            log.exception("unhandled_error", kind=type(error).__name__)
        finally:
            self._sessions.discard(session)
            self._by_key[key_id] -= 1
            if not self._by_key[key_id]:
                del self._by_key[key_id]
        return ConnectionSummary(
            connection.code or LOST,
            time.monotonic() - connection.opened_at,
            connection.received,
            connection.sent,
            session.responses,
        )

    def _connection(self, environ: Environ, extensions: list[Extension]) -> WebSocketConnection:
        settings = self._settings
        limits = ConnectionLimits(
            settings.max_responses_body_bytes, settings.slow_client_seconds, budget=self.memory.messages
        )
        return WebSocketConnection(environ["gunicorn.socket"], extensions, limits)

    def _session_limits(self) -> SessionLimits:
        settings = self._settings
        return SessionLimits(
            settings.max_responses_body_bytes,
            WAITING_MESSAGES * settings.max_responses_body_bytes,
            settings.websocket_idle_seconds,
            settings.websocket_age_seconds,
        )

    def stop(self) -> None:
        """Close idle connections, and the others once their responses have ended."""
        self._is_stopping = True
        for session in tuple(self._sessions):
            gevent.spawn(session.drain)


def _early(environ: Environ) -> bytes:
    """Return the data that gunicorn has read beyond the head of the handshake."""
    unreader = getattr(getattr(environ["wsgi.input"], "reader", None), "unreader", None)
    buffered: bytes = unreader.take_buffered() if unreader is not None else b""
    return buffered
