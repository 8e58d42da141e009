"""An attempt at a chat or responses endpoint whose upstream sends its answer as one JSON object."""

from __future__ import annotations

from collections.abc import Generator

from app.accounts.kinds import kind_of
from app.accounts.settings import settings_from
from app.errors import StreamIncomplete, UpstreamProtocolError
from app.relay.attempt import Attempt, AttemptInputs, EventBatches, exchange, keepalive_if_due
from app.relay.content_types import EVENTS, PAGES
from app.relay.model_attempt import ModelAttempt, ProtocolAttempt
from app.relay.output_cap import output_cap_for
from app.streaming.events import Event
from app.streaming.lenient_json import loads_and_compare
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS, to_protocol_error
from app.streaming.unstreamed_answers import UNSTREAMED_ANSWERS
from app.translation.requests.refused_fields import UNSTREAMED
from app.translation.requests.upstream_request import UpstreamRequest
from app.upstream.body import Body
from app.upstream.responses import UpstreamResponse, essence_of
from app.yielding import give_way

MAX_ANSWER_BYTES = 64 * 1024 * 1024  # answers with speech in Base64 fit
STREAM_FIELDS = ("stream_options",)  # of a request; upstreams refuse them where `stream` is false


def begin_model_attempt(inputs: AttemptInputs, request: UpstreamRequest) -> Attempt:
    """
    Return the attempt that sends *request*: streamed or not, as its pool, account, caller and content allow.

    By itself it is streamed where the caller receives a stream, where the answer has to be translated, where
    the gateway may have to end it, and where it is stored for callers that stream.
    """
    context, account = inputs.context, inputs.account
    setting = settings_from(context.caller.key.settings).stream_upstream
    if setting == "always" or not kind_of(account).sends_unstreamed_answers or request.body.get("background"):
        return ModelAttempt(inputs, request)
    refused = account.refused_by(request.protocol, context.request.model) if account.refused else ()
    passes_unchanged = (
        not context.options.stream
        and request.protocol == context.request.client_protocol
        and context.options.caching is None
        and inputs.resumed is None
        and output_cap_for(inputs, request.protocol) is None
    )
    if UNSTREAMED in refused or not passes_unchanged:
        return ModelAttempt(inputs, request)
    body = {name: value for name, value in request.body.items() if name not in STREAM_FIELDS}
    body["stream"] = False
    inputs.deadlines.expect_unstreamed_answer()
    return UnstreamedAttempt(inputs, request._replace(body=body))


class UnstreamedAttempt(ProtocolAttempt):
    """
    Reads one JSON object and passes it on with every field intact.

    A server that streams all the same is read as a stream. Until the answer is complete the client has
    received nothing, so another account may still answer.
    """

    accept = "application/json"
    was_cut = False

    def __init__(self, inputs: AttemptInputs, request: UpstreamRequest) -> None:
        super().__init__(inputs, request)
        self.committed = False
        self._streamed: ModelAttempt | None = None  # what reads the answer of a server that streams it

    def events(self) -> EventBatches:
        return exchange(self)

    def interrupt(self, body: Body) -> None:
        if self._streamed is None:
            body.interrupt()
        else:
            self._streamed.interrupt(body)

    def receive(self, response: UpstreamResponse) -> EventBatches:
        content_type = essence_of(response.headers)
        if content_type == EVENTS:
            self._streamed = streamed = ModelAttempt(self.inputs, self.request)
            self.reader = streamed.reader
            yield from streamed.receive(response)
            self.raw_events = streamed.raw_events
            return
        if content_type in PAGES:
            raise UpstreamProtocolError(f"The upstream answered with a page ({content_type})")
        data = yield from self._read_all(response.body)
        answer = self._answer(data)
        self.committed = True
        yield [answer]

    def _read_all(self, body: Body) -> Generator[None, None, bytes]:
        """Return the complete body. Raises UpstreamError, and ClientGone as soon as the client has left."""
        pieces: list[bytes] = []
        size = 0
        while (data := self._read(body)) != b"":
            if data is None:
                self._deadlines.check()
                yield from keepalive_if_due(self._deadlines)
                continue
            if data.isspace():  # some servers send blank lines while they work
                self._deadlines.commented()
                continue
            self._deadlines.progressed()
            pieces.append(data)
            size += len(data)
            if size > MAX_ANSWER_BYTES:
                raise UpstreamProtocolError("The upstream's answer is too large")
        return b"".join(pieces)

    def _read(self, body: Body) -> bytes | None:
        try:
            data = body.read(self._deadlines.seconds())
        except StreamIncomplete:
            self._cancellation.check()  # we ended the wait: the client left
            raise
        self._cancellation.check()
        return data

    def _answer(self, data: bytes) -> Event:
        """Return the event with the answer in *data*, which the reader observes. Raises UpstreamError."""
        give_way(len(data))
        try:
            payload, is_strict = loads_and_compare(data)
        except ValueError:
            raise UpstreamProtocolError("The upstream's answer is not valid JSON") from None
        if self.context.options.include_raw:
            self.raw_events.append(payload.copy() if isinstance(payload, dict) else {})
        try:
            answer = UNSTREAMED_ANSWERS[self.request.protocol](
                payload, data if is_strict else None, self.reader
            )
        except MALFORMED_EVENT_ERRORS as error:
            raise to_protocol_error(error) from error
        if self.reader.error is not None:
            raise self.reader.error
        if self.reader.finish is None:
            raise StreamIncomplete("The upstream's answer has no finish reason")
        self.report_unknown_usage()
        return answer
