"""One request to one account: the interface of attempts, and the HTTP exchange that they share."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import orjson

from app.accounts.account import Account
from app.errors import UpstreamRejected
from app.records import record
from app.relay.context import JsonObject, RequestContext
from app.relay.timeouts import AttemptDeadlines
from app.streaming.usage import Usage
from app.tracing import Trace
from app.translation.requests.upstream_request import UpstreamRequest
from app.translation.resume.delivered import ResumedStream
from app.upstream.body import Body
from app.upstream.client import PendingResponse, UpstreamClient
from app.upstream.echoed_secrets import hide_secrets, secrets_of
from app.upstream.responses import UpstreamResponse

KEEP_ALIVE_GRACE_SECONDS = 0.05  # for the end of the body's framing; a connection that takes longer is closed

# Batches of what the client receives, and None when it is due a keep-alive.
EventBatches = Generator[list[Any] | None, None, None]


@record
class AttemptInputs:
    """What an attempt is made from; lengths are in tokens."""

    context: RequestContext
    account: Account
    deadlines: AttemptDeadlines
    upstream: UpstreamClient
    sent_length: int = 0  # output limit for the upstream where the client sets none
    max_output: int | None = None  # the gateway ends a response that provably has more tokens
    resumed: ResumedStream | None = None  # the broken stream that this response continues
    lacks_foreign_state: bool = False  # whether to leave out state that the account cannot read
    learn_usage: Callable[[str, Account, Sequence[str]], None] | None = None  # (pool, account, unknown names)


@dataclass(slots=True)
class ResponseHead:
    """Status and headers of the upstream's response, once they have arrived."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class UsageReader(Protocol):
    """What an attempt has observed of the upstream's response."""

    has_calls: Any

    @property
    def usage(self) -> Usage | None: ...

    @property
    def finish(self) -> str | None: ...

    @property
    def service_tier(self) -> str | None: ...

    @property
    def deltas(self) -> int: ...

    @property
    def output_bytes(self) -> int: ...

    @property
    def reported_usage(self) -> Usage | None:
        """The usage of the complete response, None where none was reported."""

    def can_end(self) -> bool: ...


class Attempt(Protocol):
    """One request to one account, sent once."""

    inputs: AttemptInputs
    context: RequestContext
    account: Account
    request: UpstreamRequest
    response: ResponseHead
    raw_events: list[JsonObject]  # the upstream's events, with the option `include_raw`

    @property
    def reader(self) -> UsageReader: ...

    @property
    def committed(self) -> bool:
        """Whether the client has received a part of this response."""

    @property
    def was_cut(self) -> bool:
        """Whether the gateway ended the response before its upstream did."""

    @property
    def stalled(self) -> bool:
        """Whether the upstream was silent for so long that this account is not tried again."""

    def events(self) -> EventBatches:
        """
        Yield what the client receives as it arrives, and None when it is due a keep-alive.

        Raises UpstreamError unless the response is complete.
        """

    def exceeds(self, tokens: int) -> bool:
        """Return whether what was observed of the response proves that it has more than *tokens*."""


class UpstreamHandler(Protocol):
    """The part of an attempt that differs by endpoint: how to send the request and convert the response."""

    inputs: AttemptInputs
    request: UpstreamRequest
    response: ResponseHead

    @property
    def was_cut(self) -> bool: ...

    def send(self, trace_headers: Mapping[str, str]) -> PendingResponse: ...

    def receive(self, response: UpstreamResponse) -> EventBatches: ...

    def interrupt(self, body: Body) -> None:
        """End a wait for *body*, because the request is cancelled. Must not block."""


def exchange(handler: UpstreamHandler) -> EventBatches:
    """Send *handler*'s request, yield what its response becomes, and close the response in every case."""
    trace = handler.inputs.context.caller.trace
    return _exchange(handler, {}) if trace is None else _traced_exchange(handler, trace)


def _traced_exchange(handler: UpstreamHandler, trace: Trace) -> EventBatches:
    context, account = handler.inputs.context, handler.inputs.account
    attributes = {"account": account.id, "kind": account.kind, "wire": handler.request.protocol}
    with trace.attempt(**attributes, model=context.request.model) as trace_headers:
        yield from _exchange(handler, trace_headers)


def _exchange(handler: UpstreamHandler, trace_headers: Mapping[str, str]) -> EventBatches:
    inputs, head = handler.inputs, handler.response
    pending = handler.send(trace_headers)
    try:
        response = yield from _wait_for_headers(pending, inputs.deadlines)
    except UpstreamRejected as error:
        head.headers = error.headers
        error.echoes_request = partial(_was_sent, handler)
        raise
    except BaseException:
        pending.abandon()
        raise
    del pending
    head.headers, head.status = response.headers, response.status
    try:
        with inputs.context.caller.cancellation.interrupting(lambda: handler.interrupt(response.body)):
            yield from handler.receive(response)
    except BaseException as error:
        response.body.close()
        if isinstance(error, UpstreamRejected):
            hide_secrets(error, secrets_of(inputs.account))
            error.echoes_request = partial(_was_sent, handler)
        raise
    if handler.was_cut:
        response.body.close()  # else the upstream would produce, and bill, what no one receives
    else:
        response.body.finish(KEEP_ALIVE_GRACE_SECONDS)


def _was_sent(handler: UpstreamHandler, text: str) -> bool:
    """Return whether the sent body contains *text*, ignoring case."""
    request = handler.inputs.context.request
    body = handler.request.body or request.body
    sent = orjson.dumps(body, default=str) if body else b"".join(request.raw_body)
    return orjson.dumps(text)[1:-1].lower() in sent.lower()


def _wait_for_headers(
    pending: PendingResponse, deadlines: AttemptDeadlines
) -> Generator[None, None, UpstreamResponse]:
    while True:
        response = pending.wait(deadlines.seconds())
        if response is not None:
            deadlines.headers_received()
            return response
        deadlines.check()
        yield from keepalive_if_due(deadlines)


def keepalive_if_due(deadlines: AttemptDeadlines) -> Iterator[None]:
    """Yield None if the client has received nothing for the keep-alive interval."""
    if deadlines.is_keepalive_due():
        deadlines.client_informed()
        yield None
