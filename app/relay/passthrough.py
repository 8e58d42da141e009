"""
An attempt whose response is forwarded as received: embeddings, audio, images.

Nothing is translated. A JSON response is held until it is complete, so that another account may still
answer. Any other response is forwarded as it arrives, so failover ends with its first piece.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import orjson

from app.accounts.request_settings import NO_SETTINGS
from app.errors import StreamIncomplete, UpstreamProtocolError
from app.relay.attempt import AttemptInputs, EventBatches, ResponseHead, exchange, keepalive_if_due
from app.relay.content_types import EVENTS, PAGES, is_json
from app.relay.context import JsonObject
from app.relay.own_fields import raw_body_with_settings
from app.relay.response_outline import outline
from app.streaming.events import DONE, Event
from app.streaming.lenient_json import loads_and_compare
from app.streaming.sse import EventDecoder
from app.streaming.usage import Usage, usage_from_chat, usage_from_responses
from app.translation.requests.upstream_request import UpstreamRequest
from app.upstream.body import Body
from app.upstream.client import PendingResponse, RequestContent
from app.upstream.responses import NO_CONTENT, UpstreamResponse, essence_of
from app.yielding import end_turn

MAX_JSON_BYTES = 128 * 1024 * 1024  # enough for ten images in Base64
FINAL_SUFFIXES = (".done", ".completed")  # of the last event's type in streams without `[DONE]`
TEXT_FIELDS = ("text", "delta", "transcript")

Transform = Callable[[bytes, Any], Any]


class PassthroughReader:
    """Reads usage and text length from a JSON response, or from the events of a stream."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.is_complete = False
        self.finish: str | None = None
        self.has_calls = False
        self.service_tier: str | None = None
        self.output_bytes = 0  # UTF-8 bytes of the response's text
        self.deltas = 0

    @property
    def reported_usage(self) -> Usage | None:
        """The usage of the complete response, None where none was reported."""
        return self.usage if self.is_complete else None

    def can_end(self) -> bool:
        return self.is_complete

    def observe(self, payload: Any) -> None:
        if not isinstance(payload, dict):
            return
        choices = payload.get("choices")
        for part in (payload, *(choices if isinstance(choices, list) else ())):
            texts = [part.get(name) for name in TEXT_FIELDS] if isinstance(part, dict) else ()
            self.output_bytes += sum(len(text.encode()) for text in texts if isinstance(text, str))
        usage = payload.get("usage")
        if isinstance(usage, dict) and not self.output_bytes:  # without output, a missing count is 0
            usage = {"completion_tokens" if "prompt_tokens" in usage else "output_tokens": 0, **usage}
        self.usage = usage_from_chat(usage) or usage_from_responses(usage) or self.usage


def forward_bytes(data: bytes, payload: Any) -> Any:
    """Return a JSON response as its bytes."""
    return data


def completed_response_event(data: bytes, payload: Any) -> Event:
    """Return *payload*, a compaction as the OpenAI API sends it, as the last event of a response."""
    if not isinstance(payload, dict):
        raise UpstreamProtocolError("The upstream's response is not a JSON object")
    return Event({"type": "response.completed", "response": payload})


class PassthroughAttempt:
    """Forwards a response; *transform* maps the bytes and value of a JSON response to what is yielded."""

    def __init__(self, inputs: AttemptInputs, transform: Transform = forward_bytes) -> None:
        self.inputs = inputs
        self.context = inputs.context
        self.account = inputs.account
        client, settings = inputs.context.request, inputs.account.settings
        self._raw_body, ignored = client.raw_body, list[str]()
        if settings is not NO_SETTINGS:
            self._raw_body, ignored = raw_body_with_settings(client, settings)
        self.request = UpstreamRequest(client.client_protocol, {}, ignored)
        self.response = ResponseHead()
        self.raw_events: list[JsonObject] = []
        self.reader = PassthroughReader()
        self.committed = False
        self._deadlines = inputs.deadlines
        self._transform = transform
        self._cancellation = inputs.context.caller.cancellation
        self._is_final_seen = False  # whether the event that ends a stream has arrived
        self._is_done_seen = False  # whether `[DONE]` has arrived, after which nothing follows
        self._decoder = EventDecoder()

    @property
    def was_cut(self) -> bool:
        return False

    @property
    def stalled(self) -> bool:
        return self._deadlines.stalled

    def events(self) -> EventBatches:
        return exchange(self)

    def exceeds(self, tokens: int) -> bool:
        return False

    def send(self, trace_headers: Mapping[str, str]) -> PendingResponse:
        request = self.context.request
        content = RequestContent(
            self._raw_body, self.context.caller.headers, trace_headers, request.content_type
        )
        return self.inputs.upstream.post(
            self.account,
            request.client_protocol,
            content,
            headers_timeout_seconds=self._deadlines.seconds_for_headers(),
            cancellation=self._cancellation,
        )

    def interrupt(self, body: Body) -> None:
        body.interrupt()

    def receive(self, response: UpstreamResponse) -> EventBatches:
        content_type = essence_of(response.headers)
        if response.status in NO_CONTENT:
            return
        if content_type in PAGES:
            raise UpstreamProtocolError(
                f"The upstream answered with a page ({content_type}) instead of a response"
            )
        if is_json(content_type):
            yield from self._receive_json(response.body)
        elif content_type == EVENTS:
            yield from self._receive_events(response.body)
        else:
            yield from self._receive_pieces(response.body)

    def _receive_json(self, body: Body) -> EventBatches:
        pieces, size = [], 0
        while data := (yield from self._read(body)):
            pieces.append(data)
            size += len(data)
            if size > MAX_JSON_BYTES:
                raise UpstreamProtocolError("The upstream's response is too large")
        data = b"".join(pieces)
        shown = outline(data) if self._transform is forward_bytes else data
        try:
            payload, is_strict = loads_and_compare(shown, end_turn)
            if not is_strict and shown is not data:
                payload, is_strict = loads_and_compare(data, end_turn)
        except ValueError:
            raise UpstreamProtocolError("The upstream's response is not valid JSON") from None
        if not is_strict:  # so that callers never receive invalid JSON
            data = orjson.dumps(payload)
        self.reader.observe(payload)
        self.reader.is_complete = True
        yield [self._transform(data, payload)]

    def _receive_events(self, body: Body) -> EventBatches:
        for pieces in self._receive_pieces(body):
            for piece in pieces or ():
                self._observe(self._decoder.decode_events(piece))
            yield pieces
            if self._is_done_seen:
                return  # the response is complete, so a caller may leave now
        self._observe(self._decoder.flush())
        if not self._is_final_seen:
            raise StreamIncomplete("The upstream's stream ended before its response was complete")

    def _observe(self, events: list[Event]) -> None:
        for event in events:
            self.reader.observe(event.payload)
            self._is_done_seen |= event is DONE
            self._is_final_seen |= event is DONE or event.type.endswith(FINAL_SUFFIXES)
            self.reader.is_complete = self._is_final_seen
        if self._is_final_seen:
            self._deadlines.completed()

    def _receive_pieces(self, body: Body) -> EventBatches:
        while data := (yield from self._read(body)):
            self.committed = True
            yield [data]

    def _read(self, body: Body) -> Generator[None, None, bytes]:
        while True:
            try:
                data = body.read(self._deadlines.seconds())
            except StreamIncomplete:
                if self._is_final_seen:
                    return b""  # the response is complete; only the formal end of its stream is missing
                self._cancellation.check()  # raises ClientGone if the wait ended because the caller left
                raise
            if self._is_final_seen and self._cancellation.error is not None:
                return b""  # the caller left with a complete response
            self._cancellation.check()
            if data is not None:
                self._deadlines.progressed()
                self._deadlines.client_informed()
                return data
            if self._deadlines.check():
                return b""
            yield from keepalive_if_due(self._deadlines)
