"""
Read a response that arrives over a WebSocket as the stream of events that HTTP would have sent.

What the attempt reads is the same in both cases: messages become events, errors become rejections, and the
usage windows that HTTP has in headers are taken from `codex.rate_limits`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from requests.structures import CaseInsensitiveDict

from app.errors import StreamIncomplete, UpstreamRejected
from app.streaming.lenient_json import loads
from app.streaming.upstream_errors import rejection_from_body
from app.upstream.body import Body
from app.upstream.responses import UpstreamResponse
from app.upstream.websocket import WebSocket, WebSocketClosed

JsonObject = dict[str, Any]

RATE_LIMITS, METADATA, ITEM_DONE = "codex.rate_limits", "response.metadata", "response.output_item.done"
COMPLETED, ERROR = "response.completed", "error"
TERMINAL = (COMPLETED, "response.incomplete", "response.failed", ERROR)
# Events that may precede the one that shows whether the request is accepted
BEFORE_RESPONSE = (RATE_LIMITS, METADATA)
_NOTED = re.compile(
    r'"type"\s*:\s*"(?:response\.(?:output_item\.done|completed|incomplete|failed|metadata)'
    r'|error|codex\.rate_limits)"'
)
_WINDOW_FIELDS = ("used_percent", "window_minutes", "reset_at", "reset_after_seconds")
_NEWLINES = str.maketrans("\r\n", "  ")  # JSON has no line breaks inside its strings


def noted_event(message: str) -> JsonObject | None:
    """Return the event of *message* if the connection has to know it, else None."""
    if _NOTED.search(message) is None:
        return None
    try:
        event = loads(message.encode())
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("type"), str) else None


def headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that HTTP would have had for *event*: usage windows, or metadata."""
    if event["type"] == RATE_LIMITS:
        return _window_headers(event)
    headers = event.get("headers")
    if not isinstance(headers, dict):
        return {}
    return {
        name: str(value)
        for name, value in headers.items()
        if isinstance(value, (str, int, float)) and str(value).isprintable()
    }


def _window_headers(event: Mapping[str, Any]) -> dict[str, str]:
    limits = event.get("rate_limits")
    if not isinstance(limits, dict) or event.get("metered_limit_name") not in (None, "", "codex"):
        return {}
    return {
        f"x-codex-{name}-{field.replace('_', '-')}": str(window[field])
        for name in ("primary", "secondary")
        if isinstance(window := limits.get(name), dict)
        for field in _WINDOW_FIELDS
        if isinstance(window.get(field), (int, float))
    }


def rejection_in(event: Mapping[str, Any]) -> UpstreamRejected | None:
    """Return the rejection that *event* reports in place of a response; None for other events."""
    status = event.get("status")
    if event.get("type") != ERROR or type(status) is not int or not 400 <= status < 600:
        return None
    body = {name: value for name, value in event.items() if name in ("error", "detail", "message")}
    headers = CaseInsensitiveDict(headers_of(event))
    rejection = rejection_from_body(status, orjson.dumps(body), headers)
    rejection.headers = headers
    return rejection


class WebSocketResponse(UpstreamResponse):
    """A response whose first event has arrived; later events may change `headers`."""

    def __init__(self, headers: CaseInsensitiveDict[str], body: WebSocketBody) -> None:
        self.status = 200
        self.headers = headers
        self.body = body


class WebSocketBody(Body):
    """
    The events of one response. `complete` once a terminal event has arrived.

    *release* is called once, with whether the connection can serve the next request: the response was
    completed, and nothing came after it. `response_id` and `items`, the output, are then known.
    """

    def __init__(
        self,
        websocket: WebSocket,
        opening: list[str],
        headers: CaseInsensitiveDict[str],
        release: Callable[[WebSocketBody, bool], None],
    ) -> None:
        self._websocket = websocket
        self._opening = opening
        self._headers = headers
        self._release: Callable[[WebSocketBody, bool], None] | None = release
        self._is_reusable = False
        self.complete = False
        self.response_id = ""
        self._items: list[tuple[int, JsonObject]] = []  # (output index, finished item)

    @property
    def items(self) -> list[JsonObject]:
        """The finished items of the output, in their order."""
        return [item for _, item in sorted(self._items, key=lambda one: one[0])]

    def read(self, timeout_seconds: float) -> bytes | None:
        """Return the events that have arrived; behaves as `Body.read`."""
        if self.complete:
            return b""
        messages, self._opening = self._opening, []
        if not messages:
            try:
                arrived = self._websocket.receive(timeout_seconds)
            except WebSocketClosed as closed:
                raise StreamIncomplete(
                    "The upstream closed the connection in the middle of its response"
                ) from closed
            if arrived is None:
                return None
            messages = arrived
        return b"".join([self._as_event(message) for message in messages])

    def _as_event(self, message: str) -> bytes:
        event = noted_event(message)
        if self.complete:
            self._note_late(event)
            return b""
        if event is not None:
            self._note(event)
        if "\n" in message or "\r" in message:
            message = message.translate(_NEWLINES)
        return b"data: %b\n\n" % message.encode("utf-8", "replace")

    def _note(self, event: JsonObject) -> None:
        kind = event["type"]
        if kind in BEFORE_RESPONSE:
            self._headers.update(headers_of(event))
        elif kind == ITEM_DONE and isinstance(event.get("item"), dict):
            index = event.get("output_index")
            self._items.append((index if type(index) is int else len(self._items), event["item"]))
        elif kind in TERMINAL:
            self.complete = True
            response = event.get("response")
            response_id = response.get("id") if isinstance(response, dict) else None
            if kind == COMPLETED and isinstance(response_id, str):
                self.response_id, self._is_reusable = response_id, bool(response_id)

    def _note_late(self, event: JsonObject | None) -> None:
        """Read messages after the response. If any is not a report, the connection is not used again."""
        if event is None or event["type"] not in BEFORE_RESPONSE:
            self._is_reusable = False
        else:
            self._headers.update(headers_of(event))

    def interrupt(self) -> None:
        self._websocket.interrupt()

    def finish(self, grace_seconds: float) -> None:
        """Release the connection for the next request of its conversation if the response is complete."""
        self._end(is_reusable=self._is_reusable)

    def close(self) -> None:
        self._end(is_reusable=False)

    def _end(self, *, is_reusable: bool) -> None:
        release, self._release = self._release, None
        if release is not None:
            if not is_reusable:
                self._websocket.close()
            release(self, is_reusable)
