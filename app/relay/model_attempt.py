"""One attempt at one account: send, read, translate, and say honestly how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import structlog

from app.accounts.account import Account
from app.errors import ClientGone, StreamIncomplete, UpstreamError
from app.json_writing import write_json
from app.relay.attempt import Attempt, Ticks
from app.relay.context import RequestContext
from app.relay.output_cap import cut_for, has_more_than
from app.relay.protocols import WIRES, translator_for
from app.relay.timeouts import AttemptDeadlines
from app.streaming.events import Event
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS, to_protocol_error
from app.streaming.progress import Stage
from app.streaming.sse import EventDecoder
from app.translation.requests.upstream_request import UpstreamRequest
from app.translation.resume.delivered import ResumedStream
from app.upstream.body import Body
from app.upstream.client import PendingResponse, UpstreamClient, UpstreamResponse, require_event_stream
from app.yielding import give_way

log = structlog.get_logger()


class ModelAttempt(Attempt):
    """`reader` has seen what the upstream produced, whatever became of it."""

    def __init__(
        self,
        context: RequestContext,
        account: Account,
        prepared: UpstreamRequest,
        deadlines: AttemptDeadlines,
        upstream: UpstreamClient,
        resumed: ResumedStream | None = None,
    ) -> None:
        super().__init__(context, account, prepared, deadlines, upstream)
        self.reader = WIRES[prepared.protocol].reader(prepared.body)
        self._terminal = False
        self._decoder = EventDecoder()
        self._translator = translator_for(context, prepared.protocol)
        self._is_opening = WIRES[context.surface].is_opening
        self._cut = cut_for(context, account, prepared.protocol)
        self._resumed = resumed
        # until the first event that a user could see; None: it is past
        self._held: list[Event] | None = [] if resumed is None else None

    @property
    def committed(self) -> bool:
        """Whether the client has been given something of this answer."""
        return self._held is None

    def _send(self) -> PendingResponse:
        give_way(self.context.body_bytes)  # it has just been translated
        return self._upstream.post(
            self.account,
            self.prepared.protocol,
            write_json(self.prepared.body, self.context.body_bytes),
            headers=self.context.headers,
            trace_headers=self.trace_headers,
            headers_timeout_seconds=self._deadlines.seconds_for_headers(),
            cancellation=self.context.cancellation,
        )

    def _answered(self, answer: UpstreamResponse) -> Ticks:
        require_event_stream(answer)
        try:
            yield from self._stream(answer.body)
        except (ClientGone, GeneratorExit):
            self._read_usage(answer.body)
            raise

    def _stream(self, body: Body) -> Ticks:
        ended = False
        while not ended:
            data = self._read(body)
            if data is None:
                ended = self._deadlines.enough()
            else:
                yield from self._consume(data)
                ended = self._ended(at_end_of_body=not data)
            yield from self._sign_of_life()
        if events := self._understood(self._at_end):
            yield events

    def _interrupt(self, body: Body) -> None:
        if not (self._awaits_usage and isinstance(self.context.cancellation.error, ClientGone)):
            super()._interrupt(body)

    @property
    def _awaits_usage(self) -> bool:
        """Whether the answer is complete but for its usage."""
        reader = self.reader
        return (
            not self._terminal and reader.error is None and reader.reported_usage is None and reader.can_end()
        )

    def _read_usage(self, body: Body) -> None:
        """Read on for the usage of a complete answer, although its client has left."""
        self._deadlines.completed()
        with suppress(UpstreamError, *MALFORMED_EVENT_ERRORS):
            while self._awaits_usage and (left := self._deadlines.grace_seconds()) > 0:
                data = body.read(left)
                if not data:
                    return
                self._observed(data)

    def _at_end(self) -> list[Event]:
        return self._release(self._shown(self._translator.finish()), at_end=True)

    def _consume(self, data: bytes) -> Iterator[list[Event]]:
        """Yield what one read brought."""
        if out := self._understood(lambda: self._taken(data)):
            self._deadlines.client_informed()
            yield out

    def _understood(self, take: Callable[[], list[Event]]) -> list[Event]:
        """Return what *take* makes of the upstream's events. Raises UpstreamProtocolError."""
        try:
            return take()
        except MALFORMED_EVENT_ERRORS as error:
            protocol_error = to_protocol_error(error)
            log.warning(
                "upstream_event_not_understood",
                request_id=self.context.request_id,
                account=self.account.id,
                place=protocol_error.location,
            )
            raise protocol_error from error

    def _taken(self, data: bytes) -> list[Event]:
        """Return what the client gets of one read; what follows a terminal event is dropped."""
        events, stage = self._observed(data)
        if self.context.include_raw:
            self.raw += [event.payload.copy() for event in events if event.payload]
        if stage is not Stage.QUIET:
            self._deadlines.progressed()
        return self._release(self._shown(self._translator.translate(events))) if events else []

    def _observed(self, data: bytes) -> tuple[list[Event], Stage]:
        """Return the events of one read, up to a terminal one, and how far the answer has come."""
        comments = self._decoder.comments
        events = self._decoder.decode_events(data) if data else self._decoder.flush()
        if self._decoder.comments != comments:
            self._deadlines.commented()
        stage, observe = Stage.QUIET, self.reader.observe
        for index, event in enumerate(events):
            reached = observe(event)
            if reached is Stage.QUIET:
                continue
            stage = reached
            if stage is Stage.TERMINAL:
                self._terminal = True
                del events[index + (self.reader.error is None) :]
                break
        return events, stage

    def _ended(self, *, at_end_of_body: bool) -> bool:
        """Whether the answer is over, honestly. Raises what made it end otherwise."""
        if self.reader.error is not None:
            raise self.reader.error
        if self.was_cut:
            return True
        if self._terminal:
            if self.reader.finish is None:
                raise StreamIncomplete("The upstream ended its stream without finishing its answer")
            return True
        if self._decoder.fault is not None:
            raise self._decoder.fault
        if self.reader.can_end():
            self._deadlines.completed()
            return at_end_of_body
        if at_end_of_body:
            raise StreamIncomplete("The upstream's stream ended before its answer was complete")
        return False

    @property
    def was_cut(self) -> bool:
        return self._cut is not None and self._cut.was_made

    def exceeds(self, tokens: int) -> bool:
        return has_more_than(self.reader, tokens)

    def _shown(self, events: list[Event]) -> list[Event]:
        """Return *events* up to where the answer has to end."""
        return events if self._cut is None else self._cut.shown(events, self.reader)

    def _release(self, events: list[Event], *, at_end: bool = False) -> list[Event]:
        """Hold events back until a user could see something of them, so that failover stays possible."""
        if self._resumed is not None:
            return self._resumed.skip_delivered(events)
        if self._held is None:
            return events
        self._held += events
        unseen = not self.context.stream or all(self._is_opening(event.payload) for event in events)
        if unseen and not at_end:
            return []
        events, self._held = self._held, None
        return events

    def _read(self, body: Body) -> bytes | None:
        try:
            data = body.read(self._deadlines.seconds())
        except StreamIncomplete:
            self.context.cancellation.check()  # the break was ours: somebody left
            if not self.reader.can_end():
                raise
            data = b""  # the answer is whole; what broke off was the formal end of its stream
        if data and self.context.cancellation.error is not None:
            with suppress(*MALFORMED_EVENT_ERRORS):
                self._observed(data)  # its usage may have come just now
        self.context.cancellation.check()
        return data
