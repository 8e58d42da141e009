"""
WebSockets between two requests of a conversation.

Each is held for the next request of its conversation on this worker, for at most IDLE_SECONDS and until it is
MAX_AGE_SECONDS old (upstreams close connections after an hour). Their number is limited. While any is idle, a
greenlet answers and sends pings, so that upstreams and proxies do not close them as abandoned.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import gevent

from app.errors import UpstreamError
from app.upstream.conversation_turns import LatestResponse
from app.upstream.websocket import WebSocket, WebSocketClosed
from app.upstream.websocket_body import BEFORE_RESPONSE, headers_of, noted_event
from app.upstream.websocket_request import Conversation

MAX_AGE_SECONDS = 55 * 60.0
IDLE_SECONDS = 5 * 60.0
MAX_IDLE = 200  # idle connections of one worker
MAX_IDLE_PER_ACCOUNT = 50
PING_SECONDS = 25.0


class IdleWebSocket(NamedTuple):
    """An idle connection, and the state that its upstream has."""

    websocket: WebSocket
    latest: LatestResponse | None
    idle_since: float

    def is_usable(self, now: float) -> bool:
        """Return whether it can serve a request: young, open, and only reports have arrived."""
        if now - self.websocket.opened_at > MAX_AGE_SECONDS or now - self.idle_since > IDLE_SECONDS:
            return False
        try:
            events = [noted_event(message) for message in self.websocket.drain()]
        except (WebSocketClosed, UpstreamError):
            return False
        for event in events:
            if event is None or event["type"] not in BEFORE_RESPONSE:
                return False
            self.websocket.report(headers_of(event))
        return True


class IdleWebSockets:
    """The idle connections of one worker, the longest idle first."""

    def __init__(self) -> None:
        self._idle: dict[Conversation, IdleWebSocket] = {}
        self._pinger: Any = None

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, conversation: Conversation) -> IdleWebSocket | None:
        """Remove and return the connection of *conversation*, if it is usable."""
        idle = self._idle.pop(conversation, None)
        if idle is None or idle.is_usable(time.monotonic()):
            return idle
        idle.websocket.close_idle()
        return None

    def put(self, conversation: Conversation, websocket: WebSocket, latest: LatestResponse | None) -> None:
        """Add *websocket*; close the longest idle ones beyond the limits."""
        if (replaced := self._idle.pop(conversation, None)) is not None:
            replaced.websocket.close_idle()
        own = [each for each in self._idle if each[0] == conversation[0]]
        surplus = own[: len(own) - MAX_IDLE_PER_ACCOUNT + 1] if len(own) >= MAX_IDLE_PER_ACCOUNT else []
        if not surplus and len(self._idle) >= MAX_IDLE:
            surplus = [next(iter(self._idle))]
        for each in surplus:
            self._idle.pop(each).websocket.close_idle()
        self._idle[conversation] = IdleWebSocket(websocket, latest, time.monotonic())
        if self._pinger is None or self._pinger.dead:
            self._pinger = gevent.spawn(self._ping)

    def _ping(self) -> None:
        while self._idle:
            gevent.sleep(PING_SECONDS)
            self.ping_all()

    def ping_all(self) -> None:
        """Answer and send pings; close connections that are no longer usable."""
        now = time.monotonic()
        for conversation, idle in tuple(self._idle.items()):
            if self._idle.get(conversation) is not idle:
                continue  # taken while others were pinged
            del self._idle[conversation]  # removed, so that nothing else uses it during the ping
            if not idle.is_usable(now):
                idle.websocket.close_idle()
                continue
            idle.websocket.ping()
            if conversation in self._idle:
                idle.websocket.close_idle()
            else:
                self._idle[conversation] = idle
