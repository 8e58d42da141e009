"""An attempt at a chat or responses endpoint: read its events, translate them, hold back the first ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from app.accounts.kinds.kind import RESPONSES
from app.accounts.request_settings import ON
from app.errors import ClientGone, GatewayError, StreamIncomplete, UpstreamError
from app.json_writing import write_json
from app.relay.affinity import SESSION_HEADERS
from app.relay.attempt import AttemptInputs, EventBatches, ResponseHead, exchange, keepalive_if_due
from app.relay.context import JsonObject
from app.relay.output_cap import exceeds, output_cap_for
from app.relay.protocols import PROTOCOLS, translator_for
from app.streaming.body_decoder import ObjectDecoder, decoder_for, not_a_stream
from app.streaming.events import Event
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS, to_protocol_error
from app.streaming.progress import Stage
from app.streaming.sse import EventDecoder
from app.streaming.text_chunks import TextChunks
from app.streaming.usage import names_of_unknown
from app.translation.events.chat_to_chat import ChatPassThrough
from app.translation.requests.upstream_request import UpstreamRequest
from app.upstream.body import Body
from app.upstream.client import PendingResponse, RequestContent
from app.upstream.conversation_turns import Turn
from app.upstream.responses import UpstreamResponse, content_type_of
from app.yielding import give_way

log = structlog.get_logger()

MAX_NAME_CHARS = 200  # longest name of a conversation
# Fields of requests that continue something else than the latest response, or outlast their connection.
WITH_STORED_STATE = ("conversation", "previous_response_id", "background")
MAX_LOGGED_ACCOUNTS = 10_000
# What was logged already: the id and version of an account, and the names in its usage.
_unknown_usage: set[tuple[str, int, tuple[str, ...]]] = set()


class ProtocolAttempt:
    """
    What streamed and unstreamed attempts at model endpoints have in common.

    `reader` has observed what the upstream produced, whether or not the client received it.
    """

    def __init__(self, inputs: AttemptInputs, request: UpstreamRequest) -> None:
        self.inputs = inputs
        self.context = inputs.context
        self.account = inputs.account
        self.request = request
        self.response = ResponseHead()
        self.raw_events: list[JsonObject] = []
        self.reader = PROTOCOLS[request.protocol].reader(request.body)
        self._deadlines = inputs.deadlines
        self._cancellation = inputs.context.caller.cancellation

    @property
    def stalled(self) -> bool:
        return self._deadlines.stalled

    def exceeds(self, tokens: int) -> bool:
        return exceeds(self.reader, tokens)

    def report_unknown_usage(self) -> None:
        """Log and store, once per account, that no field of its usage is known, so usage is estimated."""
        if self.reader.unknown_usage is None or self.reader.usage is not None:
            return
        account, names = self.account, names_of_unknown(self.reader.unknown_usage)
        seen = (account.id, account.version, names)
        if seen in _unknown_usage or set(names) <= set(account.unknown_usage):
            return
        if len(_unknown_usage) < MAX_LOGGED_ACCOUNTS:
            _unknown_usage.add(seen)
            self._learn_unknown_usage(names)

    def _learn_unknown_usage(self, names: tuple[str, ...]) -> None:
        log.warning(
            "upstream_usage_not_understood",
            request_id=self.context.request_id,
            account=self.account.id,
            account_name=self.account.name,
            fields=names,
        )
        if self.inputs.learn_usage is not None:
            with suppress(GatewayError):  # the store is away, or the account is gone
                self.inputs.learn_usage(self.context.caller.key.pool, self.account, names)

    def send(self, trace_headers: Mapping[str, str]) -> PendingResponse:
        size = self.context.request.body_bytes
        give_way(size)  # translating a large body has blocked the other greenlets
        body = write_json(self.request.body, size)
        accept = "application/json" if self.request.body.get("stream") is False else ""
        turn = self._turn() if self.account.settings.websocket == ON and not accept else None
        return self.inputs.upstream.post(
            self.account,
            self.request.protocol,
            RequestContent(body, self.context.caller.headers, trace_headers, accept=accept, turn=turn),
            headers_timeout_seconds=self._deadlines.seconds_for_headers(),
            cancellation=self._cancellation,
        )

    def _turn(self) -> Turn | None:
        """Return the request as a turn of the conversation that it names, None if it names none."""
        body, caller = self.request.body, self.context.caller
        name = body.get("prompt_cache_key") or next(
            (text for header in SESSION_HEADERS if (text := caller.headers.get(header))), None
        )
        if self.request.protocol != RESPONSES or not isinstance(name, str) or not name:
            return None
        if any(body.get(field) for field in WITH_STORED_STATE):
            return None
        return Turn(f"{caller.key.id}:{name[:MAX_NAME_CHARS]}", body, self.context.request.body_bytes)


class ModelAttempt(ProtocolAttempt):
    """Reads a stream of events, and passes it on translated."""

    def __init__(self, inputs: AttemptInputs, request: UpstreamRequest) -> None:
        super().__init__(inputs, request)
        context = inputs.context
        self._is_terminal = False
        self._content_type = ""
        self._decoder: EventDecoder | ObjectDecoder | None = None  # chosen when the response begins
        self._translator = translator_for(context, request.protocol)
        self._is_opening = PROTOCOLS[context.request.client_protocol].is_opening
        self._cap = output_cap_for(inputs, request.protocol)
        self._resumed = inputs.resumed
        # Events before the first one that a user could see; None: that one has been delivered.
        self._held: list[Event] | None = [] if inputs.resumed is None else None
        self._text_chunks = TextChunks() if self._may_pass_texts() else None

    def _may_pass_texts(self) -> bool:
        """Return whether the client receives chunks of text unchanged but for what surrounds the text."""
        is_uncut = self._cap is None or self._cap.passes_text
        options = self.context.options
        is_passed_on = isinstance(self._translator, ChatPassThrough) and self._resumed is None
        return is_uncut and is_passed_on and options.stream and not options.include_raw

    @property
    def committed(self) -> bool:
        return self._held is None

    @property
    def was_cut(self) -> bool:
        return self._cap is not None and self._cap.is_reached

    def events(self) -> EventBatches:
        return exchange(self)

    def receive(self, response: UpstreamResponse, beginning: bytes = b"") -> EventBatches:
        """Read *response*; *beginning* is the part of its body that has been read already."""
        self._content_type = content_type_of(response)
        body, is_over = response.body, False
        try:
            while not is_over:
                data, beginning = beginning or self._read(body), b""
                if data and (events := self._pass_texts(data)):
                    yield events
                    is_over = self.was_cut
                    del data, events  # as below
                    continue
                events = [] if data is None else self._checked(self._translate, data)
                if events:
                    self._deadlines.client_informed()
                    yield events
                if data is None:
                    is_over = self._deadlines.check()
                else:
                    is_over = self._check_complete(at_end_of_body=not data)
                if not events:
                    yield from keepalive_if_due(self._deadlines)
                del data, events  # not retained while more is waited for
            if events := self._checked(self._final_events):
                yield events
        except (ClientGone, GeneratorExit):
            self._read_usage(body)
            raise
        self.report_unknown_usage()

    def interrupt(self, body: Body) -> None:
        if not (self._awaits_usage and isinstance(self._cancellation.error, ClientGone)):
            body.interrupt()

    @property
    def _awaits_usage(self) -> bool:
        """Whether the response is complete except for its usage."""
        reader = self.reader
        return (
            not self._is_terminal
            and reader.error is None
            and reader.reported_usage is None
            and reader.can_end()
        )

    def _read_usage(self, body: Body) -> None:
        """Read on for the usage of a complete response, although its client has left."""
        self._deadlines.completed()
        with suppress(UpstreamError, *MALFORMED_EVENT_ERRORS):
            while self._awaits_usage and (left := self._deadlines.grace_seconds()) > 0:
                data = body.read(left)
                if not data:
                    return
                self._observe(data)

    def _read(self, body: Body) -> bytes | None:
        try:
            data = body.read(self._deadlines.seconds())
        except StreamIncomplete:
            self._cancellation.check()  # raises ClientGone if the wait ended because the client left
            if not self.reader.can_end():
                raise
            data = b""  # the response is complete; only the formal end of its stream is missing
        if self._cancellation.error is not None:
            if data:
                with suppress(*MALFORMED_EVENT_ERRORS):
                    self._observe(data)  # it may contain the usage
            raise self._cancellation.error
        return data

    def _checked(self, translate: Callable[..., list[Event]], *data: bytes) -> list[Event]:
        """Return the events that *translate* returns for *data*. Raises UpstreamProtocolError."""
        try:
            return translate(*data)
        except MALFORMED_EVENT_ERRORS as error:
            protocol_error = to_protocol_error(error)
            log.warning(
                "upstream_event_not_understood",
                request_id=self.context.request_id,
                account=self.account.id,
                account_name=self.account.name,
                place=protocol_error.location,
            )
            raise protocol_error from error

    def _translate(self, data: bytes) -> list[Event]:
        """Return the events for the client from one read; events after a terminal one are discarded."""
        events, stage = self._observe(data)
        if stage is not Stage.QUIET:
            self._deadlines.progressed()
        if not events:
            return []
        newest = events[-1]
        received = newest.data  # the translator may change it
        released = self._release(self._capped(self._translator.translate(events)))
        if self._text_chunks is not None and released and released[-1] is newest and stage is Stage.PROGRESS:
            self._text_chunks.learn(received, newest)
            if self._text_chunks.is_useless:
                self._text_chunks = None
        return released

    def _pass_texts(self, data: bytes) -> list[Event]:
        """Return the events for a read of chunks that differ from others only in their text, else []."""
        chunks = [] if self._text_chunks is None else self._text_chunks.chunks(data)
        if not chunks:
            return []
        self.reader.observe_texts(chunks)
        self._deadlines.progressed()
        self._deadlines.client_informed()
        events: list[Event] = [*chunks]
        return events if self._cap is None else self._cap.feed_texts(events, self.reader)

    def _final_events(self) -> list[Event]:
        held, translator = self.reader.held_end(), self._translator
        events: list[Event] = [] if held is None else translator.translate([held])
        return self._release(self._capped(events + translator.finish()), at_end=True)

    def _observe(self, data: bytes) -> tuple[list[Event], Stage]:
        """Return the upstream's events from one read, up to a terminal one, and the stage of the response."""
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = self._choose_decoder(data)
            if decoder is None:
                return [], Stage.QUIET
        comments = decoder.comments
        events = decoder.decode_events(data) if data else decoder.flush()
        if self._text_chunks is not None:
            self._text_chunks.begins_event = decoder.is_between_events
        if decoder.comments != comments:
            self._deadlines.commented()
        # Copied now, because the reader repairs odd events and the translator may change them.
        raw = [event.payload.copy() for event in events] if self.context.options.include_raw else None
        stage, observe = Stage.QUIET, self.reader.observe
        for index, event in enumerate(events):
            reached = observe(event)
            if reached is Stage.QUIET:
                continue
            stage = reached
            if stage is Stage.TERMINAL:
                self._is_terminal = True
                del events[index + (self.reader.error is None) :]
                break
        if raw is not None:
            self.raw_events += [payload for payload in raw[: len(events)] if payload]
        return events, stage

    def _choose_decoder(self, data: bytes) -> EventDecoder | ObjectDecoder | None:
        """Return the decoder of a response that begins with *data*, None while that is blank."""
        decoder = decoder_for(self.request.protocol, self._content_type, data)
        if decoder is None:
            if not data:
                raise not_a_stream(self._content_type)
            self._deadlines.commented()
        return decoder

    def _check_complete(self, *, at_end_of_body: bool) -> bool:
        """Return whether the response is complete. Raises UpstreamError where it ended otherwise."""
        if self.reader.error is not None:
            raise self.reader.error
        if self.was_cut:
            return True
        if self._is_terminal:
            if self.reader.is_unfinished:
                raise StreamIncomplete("The upstream ended its stream without finishing its response")
            return True
        if self._decoder is not None and self._decoder.error is not None:
            raise self._decoder.error
        if self.reader.can_end():
            self._deadlines.completed()
            return at_end_of_body
        if at_end_of_body:
            raise StreamIncomplete("The upstream's stream ended before its response was complete")
        return False

    def _capped(self, events: list[Event]) -> list[Event]:
        """Return *events* up to where the response has to end."""
        return events if self._cap is None else self._cap.feed(events, self.reader)

    def _release(self, events: list[Event], *, at_end: bool = False) -> list[Event]:
        """
        Return what may be delivered.

        *events* are held until a user could see one, so that failover is possible.
        """
        if self._resumed is not None:
            return self._resumed.skip_delivered(events)
        if self._held is None:
            return events
        self._held += events
        is_visible = self.context.options.stream and not all(
            self._is_opening(event.payload) for event in events
        )
        if not is_visible and not at_end:
            return []
        events, self._held = self._held, None
        return events
