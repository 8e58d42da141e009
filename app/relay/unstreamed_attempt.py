"""An attempt at a chat or responses endpoint whose upstream sends its response as one JSON object."""

from __future__ import annotations

from collections.abc import Generator

from app.accounts.account import POOL_SETTING
from app.accounts.kinds import kind_of
from app.accounts.settings import settings_from
from app.errors import StreamIncomplete, UpstreamProtocolError
from app.limits.output_lengths import length_bound
from app.relay.attempt import Attempt, AttemptInputs, EventBatches, exchange, keepalive_if_due
from app.relay.content_types import EVENTS, PAGES
from app.relay.model_attempt import ModelAttempt, ProtocolAttempt
from app.relay.output_cap import may_be_cut
from app.relay.protocols import completion_identity
from app.streaming.body_decoder import (
    BLANK,
    MAX_OBJECT_BYTES,
    begins_object,
    begins_stream,
    object_too_large,
)
from app.streaming.events import Event
from app.streaming.lenient_json import loads_and_compare
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS, to_protocol_error
from app.streaming.unstreamed_responses import UNSTREAMED_RESPONSES
from app.translation.requests.refused_fields import STREAMED, UNSTREAMED
from app.translation.requests.upstream_request import UpstreamRequest
from app.upstream.body import Body
from app.upstream.responses import UpstreamResponse, essence_of
from app.yielding import end_turn, give_way

STREAM_FIELDS = ("stream_options",)  # fields that upstreams refuse if `stream` is false


def begin_model_attempt(inputs: AttemptInputs, request: UpstreamRequest) -> Attempt:
    """
    Return the attempt that sends *request*, streamed or not, by the setting `stream_upstream` of its account.

    With `auto` the request is streamed where the caller receives a stream, and where the response has to be
    translated, may have to be ended by the gateway, or is stored in the response cache.
    """
    account = inputs.account
    if not kind_of(account).sends_unstreamed_responses or request.body.get("background"):
        return ModelAttempt(inputs, request)
    refused = account.refused_by(request.protocol, inputs.context.request.model) if account.refused else ()
    setting = account.stream_upstream
    if setting == POOL_SETTING:
        setting = settings_from(inputs.context.caller.key.settings).stream_upstream
    may_not_stream = setting == "never" or STREAMED in refused
    if UNSTREAMED in refused or (setting == "always" and not may_not_stream):
        return ModelAttempt(inputs, request)
    passes_unchanged = _passes_unchanged(inputs, request)
    if not (passes_unchanged or may_not_stream):
        return ModelAttempt(inputs, request)
    inputs.deadlines.expect_unstreamed_response(length_bound(request.protocol, request.body))
    body = {name: value for name, value in request.body.items() if name not in STREAM_FIELDS}
    body["stream"] = False
    request = request._replace(body=body)
    return UnstreamedAttempt(inputs, request) if passes_unchanged else ModelAttempt(inputs, request)


def _passes_unchanged(inputs: AttemptInputs, request: UpstreamRequest) -> bool:
    """Return whether the caller receives the response as one object, as the upstream sends it."""
    context = inputs.context
    return (
        not context.options.stream
        and request.protocol == context.request.client_protocol
        and context.options.caching is None
        and inputs.resumed is None
        and not may_be_cut(inputs, request.protocol)
    )


class UnstreamedAttempt(ProtocolAttempt):
    """
    Reads one JSON object and passes it on with every field intact.

    A server that streams all the same is read as a stream. Until the response is complete the client has
    received nothing, so another account may still answer.
    """

    was_cut = False

    def __init__(self, inputs: AttemptInputs, request: UpstreamRequest) -> None:
        super().__init__(inputs, request)
        self.committed = False
        self._streamed: ModelAttempt | None = None  # reads the response if the server streams it

    def events(self) -> EventBatches:
        return exchange(self)

    def interrupt(self, body: Body) -> None:
        if self._streamed is None:
            body.interrupt()
        else:
            self._streamed.interrupt(body)

    def receive(self, response: UpstreamResponse) -> EventBatches:
        content_type = essence_of(response.headers)
        if content_type in PAGES:
            raise UpstreamProtocolError(f"The upstream answered with a page ({content_type})")
        beginning = yield from self._read_beginning(response.body)
        if begins_object(beginning) or not (content_type == EVENTS or begins_stream(beginning)):
            data = yield from self._read_rest(response.body, beginning)
            event = self._event(data)
            self.committed = True
            yield [event]
            return
        self._streamed = streamed = ModelAttempt(self.inputs, self.request)
        self.reader, self.raw_events = streamed.reader, streamed.raw_events
        yield from streamed.receive(response, beginning)

    def _read_beginning(self, body: Body) -> Generator[None, None, bytes]:
        """
        Return the first bytes that are not blank, b"" at the end.

        Some servers send blank lines meanwhile.
        """
        while True:
            data = yield from self._read(body)
            beginning = data.lstrip(BLANK)
            if beginning or not data:
                return beginning
            self._deadlines.commented()

    def _read_rest(self, body: Body, beginning: bytes) -> Generator[None, None, bytes]:
        """Read the rest of the body after *beginning*, and return all of it."""
        pieces, size, data = [beginning], len(beginning), beginning
        while data:
            self._deadlines.progressed()
            data = yield from self._read(body)
            pieces.append(data)
            size += len(data)
            if size > MAX_OBJECT_BYTES:
                raise object_too_large(MAX_OBJECT_BYTES)
        return b"".join(pieces)

    def _read(self, body: Body) -> Generator[None, None, bytes]:
        """Return the next bytes. Raises UpstreamError, and ClientGone as soon as the client has left."""
        while True:
            try:
                data = body.read(self._deadlines.seconds())
            except StreamIncomplete:
                self._cancellation.check()  # raises ClientGone if the wait ended because the client left
                raise
            self._cancellation.check()
            if data is not None:
                return data
            self._deadlines.check()
            yield from keepalive_if_due(self._deadlines)

    def _event(self, data: bytes) -> Event:
        """Return the event with the response in *data*, which the reader observes. Raises UpstreamError."""
        give_way(len(data))
        try:
            payload, is_strict = loads_and_compare(data, end_turn)
        except ValueError:
            raise UpstreamProtocolError("The upstream's response is not valid JSON") from None
        if self.context.options.include_raw:
            self.raw_events.append(payload.copy() if isinstance(payload, dict) else {})
        try:
            event = UNSTREAMED_RESPONSES[self.request.protocol](
                payload,
                data if is_strict else None,
                self.reader,
                lambda: completion_identity(self.context),
            )
        except MALFORMED_EVENT_ERRORS as error:
            raise to_protocol_error(error) from error
        if self.reader.error is not None:
            raise self.reader.error
        if self.reader.is_unfinished:
            raise StreamIncomplete("The upstream's response lacks a finish reason")
        self.report_unknown_usage()
        return event
