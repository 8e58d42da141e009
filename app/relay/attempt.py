"""One request to one account: sent, awaited and closed, whatever its answer is made of."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

import orjson

from app.accounts.account import Account
from app.errors import UpstreamRejected
from app.relay.context import RequestContext
from app.relay.timeouts import AttemptDeadlines
from app.tracing import Trace
from app.translation.requests.upstream_request import UpstreamRequest
from app.upstream.body import Body
from app.upstream.client import PendingResponse, UpstreamClient, UpstreamResponse

KEEP_ALIVE_GRACE_SECONDS = 0.05  # for the rest of the framing, or the connection is not worth keeping

Ticks = Generator[list[Any] | None, None, None]


class Attempt:
    """What is left to say is how the request is sent, and what its answer becomes."""

    def __init__(
        self,
        context: RequestContext,
        account: Account,
        prepared: UpstreamRequest,
        deadlines: AttemptDeadlines,
        upstream: UpstreamClient,
    ) -> None:
        self.context = context
        self.account = account
        self.prepared = prepared
        self.headers: Mapping[str, str] = {}  # of the answer, once it is there
        self.status = 200  # of the answer
        self.raw: list[dict[str, Any]] = []  # what the upstream said, where the caller is told
        self.trace_headers: Mapping[str, str] = {}  # that tell the upstream of our span
        self._deadlines = deadlines
        self._upstream = upstream

    @property
    def stalled(self) -> bool:
        """Whether it has been silent for so long that its caller waits no second time for the same."""
        return self._deadlines.stalled

    def events(self) -> Ticks:
        """
        Yield what the client gets as it arrives, and None when it wants a sign of life.

        Raises UpstreamError for every end that is not an honest one.
        """
        return self._events() if self.context.trace is None else self._traced(self.context.trace)

    def _traced(self, trace: Trace) -> Ticks:
        account = self.account
        told = {"account": account.id, "kind": account.kind, "wire": self.prepared.protocol}
        with trace.attempt(**told, model=self.context.model) as self.trace_headers:
            yield from self._events()

    def _events(self) -> Ticks:
        sending = self._send()
        try:
            answer = yield from self._await(sending)
        except UpstreamRejected as error:
            self.headers = error.headers
            error.echoes_request = self._has_sent
            raise
        except BaseException:
            sending.abandon()
            raise
        self.headers, self.status = answer.headers, answer.status
        try:
            with self.context.cancellation.interrupting(lambda: self._interrupt(answer.body)):
                yield from self._answered(answer)
        except BaseException as error:
            answer.body.close()
            if isinstance(error, UpstreamRejected):
                error.echoes_request = self._has_sent
            raise
        if self.was_cut:
            answer.body.close()  # the upstream would go on producing, and billing, what nobody gets
        else:
            answer.body.finish(KEEP_ALIVE_GRACE_SECONDS)

    def _send(self) -> PendingResponse:
        raise NotImplementedError

    def _has_sent(self, words: str) -> bool:
        """Return whether the request has *words*, in whatever case."""
        body = self.prepared.body or self.context.body
        sent = orjson.dumps(body, default=str) if body else b"".join(self.context.raw)
        return orjson.dumps(words)[1:-1].lower() in sent.lower()

    def _answered(self, answer: UpstreamResponse) -> Ticks:
        raise NotImplementedError

    def _interrupt(self, body: Body) -> None:
        """End a wait for *body*: the request is cancelled. Must not wait for anything."""
        body.interrupt()

    @property
    def was_cut(self) -> bool:
        """Whether the answer was ended by us, before its upstream did."""
        return False

    def exceeds(self, tokens: int) -> bool:
        """Whether what was seen of the answer proves that it has more than *tokens*."""
        return False

    def _await(self, sending: PendingResponse) -> Generator[None, None, UpstreamResponse]:
        while True:
            answer = sending.wait(self._deadlines.seconds())
            if answer is not None:
                self._deadlines.answered()
                return answer
            self._deadlines.enough()
            yield from self._sign_of_life()

    def _sign_of_life(self) -> Iterator[None]:
        if self._deadlines.client_waits():
            self._deadlines.client_informed()
            yield None
