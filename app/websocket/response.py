"""
One response over a WebSocket, as the endpoint sees its client: what it watches, and how events are framed.

It is in the WSGI environment of the request, in place of a socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from app.errors import GatewayError
from app.relay.context import JsonObject, RequestContext
from app.streaming.events import DONE, Event
from app.streaming.upstream_errors import rejection_from_event
from app.translation.events.response_object import failed_response, response_object
from app.websocket.frames import LANE, error_frame, with_lane

VARIABLE = "poolgate.websocket_response"  # in the WSGI environment
ITEM_DONE = "response.output_item.done"
COMPLETED, INCOMPLETE, FAILED, ERROR = "response.completed", "response.incomplete", "response.failed", "error"
_TERMINAL = frozenset((COMPLETED, INCOMPLETE, FAILED, ERROR))
CONTINUABLE = (COMPLETED, INCOMPLETE)


class WarmUp(Exception):
    """Raised to end a valid request that generates nothing: `generate` is false in its message."""

    def __init__(self, context: RequestContext) -> None:
        super().__init__()
        self.context = context


class SocketResponse:
    """
    The response to one message of the lane *lane*.

    `finish` is the type of the last event, "" before it; nothing is sent after that. `items` are the output
    items by their index.
    """

    __slots__ = (
        *("_encode", "_keep", "_on_gone", "_sequence_number"),
        *("finish", "is_cancelled", "is_warm_up", "input", "items", "lane", "response_id"),
    )

    def __init__(
        self,
        encode: Callable[[bytes], bytes],
        keep: Callable[[SocketResponse], None],
        lane: str,
        *,
        is_warm_up: bool = False,
    ) -> None:
        """
        *encode* returns the bytes of a message on the connection.

        *keep* is called before the end of a response that can be continued is sent; `input` has all items
        before its output, as JSON, and is None where they are not known.
        """
        self._keep = keep
        self.lane = lane
        self.input: tuple[bytes, ...] | None = None
        self.is_warm_up = is_warm_up
        self.is_cancelled = False
        self.finish = ""
        self.response_id = ""
        self.items: dict[int, Any] = {}
        self._encode = encode
        self._on_gone: Callable[[], None] | None = None
        self._sequence_number = -1

    # in place of the watcher of a socket

    def watch(self, on_gone: Callable[[], None]) -> SocketResponse:
        """Call *on_gone* when the response is cancelled or the connection ends; return what stops that."""
        self._on_gone = on_gone
        if self.is_cancelled:
            on_gone()
        return self

    def stop(self) -> None:
        """Stop watching; may be called more than once."""
        self._on_gone = None

    def cancel(self) -> None:
        """End the request, wherever it waits."""
        self.is_cancelled = True
        if self._on_gone is not None:
            self._on_gone()

    # in place of the framing of server-sent events

    def frames(self, events: list[Event]) -> bytes:
        """Return *events* as messages."""
        return b"".join([self._message(event) for event in events if event is not DONE and not self.finish])

    def keepalive(self) -> bytes:
        """Return an event without content, which resets the idle timers of clients; pings do not."""
        if not self.response_id:
            return b""
        return self._send({"type": "keepalive", "sequence_number": max(0, self._sequence_number)})

    def end(self) -> bytes:
        return b""

    def error(self, error: GatewayError, context: RequestContext) -> bytes:
        """Return the end of a response that broke off; before its first event it looks like a refusal."""
        if self.finish:
            return b""
        if not self.response_id:
            self.finish = ERROR
            return self._encode(error_frame(error, self.lane))
        self.finish = FAILED
        request = context.request
        name = request.response_model
        response = failed_response(
            self.response_id,
            int(context.caller.key.now),
            {**request.body, "model": name} if name else request.body,
            error.envelope()["error"],
        )
        return self._send(
            {"type": FAILED, "sequence_number": self._sequence_number + 1, "response": response}
        )

    def warm_up(self, context: RequestContext) -> bytes:
        """Return the events of a response without output, whose id the next request can continue."""
        request = context.request
        body = {**request.body, "model": request.response_model or request.requested_model or request.model}
        self.response_id = f"resp_{context.request_id.removeprefix('req_')}"
        created: JsonObject = {**response_object(self.response_id, int(context.caller.key.now), body)}
        ended = {**created, "status": "completed", "completed_at": created["created_at"], "usage": NO_USAGE}
        return self.frames(
            [
                Event({"type": "response.created", "sequence_number": 0, "response": created}),
                Event({"type": COMPLETED, "sequence_number": 1, "response": ended}),
            ]
        )

    def _send(self, payload: JsonObject) -> bytes:
        return self._encode(with_lane(orjson.dumps(payload), self.lane))

    def _message(self, event: Event) -> bytes:
        payload = event.payload
        number = payload.get("sequence_number")
        if type(number) is int:
            self._sequence_number = number
        kind = event.type
        if kind == ITEM_DONE:
            self._keep_item(payload)
        elif kind == ERROR:
            self.finish = ERROR
            return self._encode(error_frame(rejection_from_event(payload), self.lane))
        elif kind in _TERMINAL:
            self.finish = kind
            self._end(payload)
        if not self.response_id:
            response = payload.get("response")
            response_id = response.get("id") if isinstance(response, dict) else None
            self.response_id = response_id if isinstance(response_id, str) else ""
        if self.finish in CONTINUABLE:
            self._keep(self)
        if LANE in payload:  # of the upstream's own connection
            return self._send({name: value for name, value in payload.items() if name != LANE})
        return self._encode(with_lane(event.encoded(), self.lane))

    def _keep_item(self, payload: dict[str, Any]) -> None:
        index, item = payload.get("output_index"), payload.get("item")
        if isinstance(item, dict):
            self.items[index if type(index) is int else len(self.items)] = item

    def _end(self, payload: dict[str, Any]) -> None:
        """Take the output from the final response if no event had an item."""
        response = payload.get("response")
        output = response.get("output") if isinstance(response, dict) else None
        if not self.items and isinstance(output, list):
            self.items = dict(enumerate(output))

    def output(self) -> tuple[bytes, ...]:
        """
        Return the output items as the next request can have them, as JSON, in their order.

        A reasoning item that only its server could look up is left out. The API refuses the ids of
        others then: they belong to that item.
        """
        items = [self.items[index] for index in sorted(self.items)]
        readable = [item for item in items if not _is_reference(item)]
        if len(readable) < len(items):
            readable = [{name: value for name, value in item.items() if name != "id"} for item in readable]
        return tuple(orjson.dumps(item) for item in readable)


def _is_reference(item: Any) -> bool:
    """Return whether *item* is reasoning without any content: responses are not stored."""
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return not isinstance(item, dict)
    return not item.get("encrypted_content") and not item.get("content")


NO_USAGE: JsonObject = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}
