"""
One request over the models that may answer it: the one it names, then its `fallbacks`.

Each is admitted and booked on its own; deadline, attempts and waits are counted over all of them.
Another model may answer until a user could see something, and continue after that where the
caller chose so; if none can, the first one's failure is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.accounts.failures import Failure
from app.accounts.verdicts import classify
from app.errors import AnswersDiffer, GatewayError, ModelNotFound, NoAccounts, QuotaExceeded, UpstreamError
from app.relay.context import Call
from app.relay.progress import RequestContext
from app.relay.request_record import Record
from app.relay.response_cache import AnswerCache
from app.relay.retry_policy import MOST_ATTEMPTS
from app.streaming.events import Event

Ticks = Iterator[list[Event] | None]

TOO_LONG = "context_length_exceeded"
TOO_LONG_WORDS = "context length"  # of servers that have no code for it


class Answering:
    """`call` and `record` are those of the model whose turn it is."""

    def __init__(
        self,
        call: Call,
        stream: Callable[[Call, Record, RequestContext], Ticks],
        context: RequestContext,
        cache: AnswerCache | None = None,
    ) -> None:
        self.call = call
        self.record = Record()
        self.refused: tuple[Call, GatewayError] | None = None  # the answer, where no account was tried for it
        self._context = context
        self._relay = stream
        self._cache = cache

    def events(self) -> Ticks:
        """
        Yield what `Relay.stream` yields, of the first model that answers.

        After a cut a fallback may continue, if its answer begins with exactly what was delivered.
        """
        first: GatewayError | None = None
        for call in (self.call, *self.call.fallbacks):
            self.call, self.record = call, Record()
            self._context.fallbacks_left -= first is not None
            try:
                yield from self._one()
                self.refused = None
                return
            except GatewayError as error:
                if isinstance(error, AnswersDiffer):
                    raise
                if first is None:
                    first = error
                    self.refused = None if self.record.row else (call, error)
                if not another_may(error) or not self._may_go_on(error):
                    break
        assert first is not None
        raise first

    def _may_go_on(self, error: GatewayError) -> bool:
        """Return whether another model may still answer, and note that it is about to."""
        context = self._context
        if context.attempts >= MOST_ATTEMPTS:
            return False
        if self.record.first_ms is None and not context.committed:
            return True
        stalled = self.record.last is not None and self.record.last.stalled
        if not context.may_continue(stalled=stalled):
            return False
        context.continuing(stalled=stalled)
        return True

    def _one(self) -> Ticks:
        """A kept answer is one from its beginning, so it never continues another."""
        if self._cache is None or self.call.caching is None or self._context.committed:
            return self._stream(self.call, self.record)
        return self._cache.stream(self.call, self.record, self._stream)

    def _stream(self, call: Call, record: Record) -> Ticks:
        return self._relay(call, record, self._context)


def another_may(error: GatewayError) -> bool:
    """Whether another model may answer what failed with *error*."""
    if not isinstance(error, UpstreamError):
        return isinstance(error, NoAccounts | QuotaExceeded | ModelNotFound)
    match classify(error):
        case Failure.CALLER:
            return error.code == TOO_LONG or TOO_LONG_WORDS in error.message.lower()
        case Failure.DEADLINE:
            return False
    return True
