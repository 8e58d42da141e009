"""
An attempt whose answer passes through as it comes: embeddings, sound, pictures.

Nothing is translated. JSON is kept until it is whole, so that another account may still answer;
what comes in pieces is the client's from its first piece on.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import orjson

from app.accounts.account import Account
from app.errors import StreamIncomplete, UpstreamProtocolError
from app.relay.attempt import Attempt, Ticks
from app.relay.content_types import EVENTS, PAGES, essence_of, is_json
from app.relay.context import RequestContext
from app.relay.timeouts import AttemptDeadlines
from app.streaming.events import DONE, Event
from app.streaming.lenient_json import loads_and_compare
from app.streaming.sse import EventDecoder
from app.streaming.usage import Usage, usage_from_chat, usage_from_responses
from app.translation.requests.upstream_request import UpstreamRequest
from app.upstream.body import Body
from app.upstream.client import NO_CONTENT, PendingResponse, UpstreamClient, UpstreamResponse

MAX_WHOLE_BYTES = 128 * 1024 * 1024  # of JSON: ten pictures in base64 fit
ENDS = (".done", ".completed")  # how the last event of such a stream is called, where it is not `[DONE]`
TEXTS = ("text", "delta", "transcript")


class PassthroughReader:
    """Reads what an answer tells of its cost, from JSON or from the events of a stream."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.ended = False  # whether the answer is whole
        self.finish: str | None = None
        self.has_calls = False
        self.service_tier: str | None = None
        self.output_bytes = 0  # UTF-8 bytes of the text in it
        self.deltas = 0

    @property
    def reported_usage(self) -> Usage | None:
        """The usage of the whole answer, None where none was reported."""
        return self.usage if self.ended else None

    def can_end(self) -> bool:
        return self.ended

    def observe(self, payload: Any) -> None:
        if not isinstance(payload, dict):
            return
        told = payload.get("usage")
        self.usage = usage_from_chat(told) or usage_from_responses(told) or self.usage
        choices = payload.get("choices")
        for said in (payload, *(choices if isinstance(choices, list) else ())):
            texts = [said.get(name) for name in TEXTS] if isinstance(said, dict) else ()
            self.output_bytes += sum(len(text.encode()) for text in texts if isinstance(text, str))


class PassthroughAttempt(Attempt):
    """`committed` once the client has been given something of this answer."""

    def __init__(
        self, context: RequestContext, account: Account, deadlines: AttemptDeadlines, upstream: UpstreamClient
    ) -> None:
        super().__init__(context, account, UpstreamRequest(context.surface, {}, []), deadlines, upstream)
        self.reader = PassthroughReader()
        self.committed = False
        self._ended = False  # whether a stream of events has told that it ends
        self._done = False  # whether nothing more can follow
        self._decoder = EventDecoder()

    def _send(self) -> PendingResponse:
        return self._upstream.post(
            self.account,
            self.context.surface,
            self.context.raw,
            headers=self.context.headers,
            trace_headers=self.trace_headers,
            content_type=self.context.content_type,
            headers_timeout_seconds=self._deadlines.seconds_for_headers(),
            cancellation=self.context.cancellation,
        )

    def _answered(self, answer: UpstreamResponse) -> Ticks:
        kind = essence_of(answer.headers)
        if answer.status in NO_CONTENT:
            return
        if kind in PAGES:
            raise UpstreamProtocolError(f"The upstream answered with a page ({kind}) instead of an answer")
        if is_json(kind):
            yield from self._whole(answer.body)
        elif kind == EVENTS:
            yield from self._stream(answer.body)
        else:
            yield from self._pieces(answer.body)

    def _whole(self, body: Body) -> Ticks:
        held, size = [], 0
        while data := (yield from self._read(body)):
            held.append(data)
            size += len(data)
            if size > MAX_WHOLE_BYTES:
                raise UpstreamProtocolError("The upstream's answer is too large")
        data = b"".join(held)
        try:
            payload, is_strict = loads_and_compare(data)
        except ValueError:
            raise UpstreamProtocolError("The upstream's answer is not the JSON it is said to be") from None
        if not is_strict:  # callers' parsers are strict as well
            data = orjson.dumps(payload)
        self.reader.observe(payload)
        self.reader.ended = True
        yield [self._shaped(data, payload)]

    def _shaped(self, data: bytes, payload: Any) -> Any:
        return data

    def _stream(self, body: Body) -> Ticks:
        for pieces in self._pieces(body):
            for piece in pieces or ():
                self._observe(self._decoder.decode_events(piece))
            yield pieces
            if self._done:
                return  # what follows the end is part of nothing; a caller may leave now
        self._observe(self._decoder.flush())
        if not self._ended:
            raise StreamIncomplete("The upstream's stream ended before its answer was complete")

    def _observe(self, events: list[Event]) -> None:
        for event in events:
            self.reader.observe(event.payload)
            self._done |= event is DONE
            self._ended |= event is DONE or event.type.endswith(ENDS)
            self.reader.ended = self._ended
        if self._ended:
            self._deadlines.completed()

    def _pieces(self, body: Body) -> Ticks:
        while data := (yield from self._read(body)):
            self.committed = True
            yield [data]

    def _read(self, body: Body) -> Generator[None, None, bytes]:
        while True:
            try:
                data = body.read(self._deadlines.seconds())
            except StreamIncomplete:
                if self._ended:
                    return b""  # the answer is whole; what broke off was the formal end of its stream
                self.context.cancellation.check()  # the break was ours: the caller left
                raise
            if self._ended and self.context.cancellation.error is not None:
                return b""  # the caller left with a whole answer
            self.context.cancellation.check()
            if data is not None:
                self._deadlines.progressed()
                self._deadlines.client_informed()
                return data
            if self._deadlines.enough():
                return b""
            yield from self._sign_of_life()


class CompactAttempt(PassthroughAttempt):
    """Compaction as the OpenAI API has it: one object, told here as the event that completes a response."""

    def _shaped(self, data: bytes, payload: Any) -> Any:
        if not isinstance(payload, dict):
            raise UpstreamProtocolError("The upstream's answer is not a JSON object")
        return Event({"type": "response.completed", "response": payload})
