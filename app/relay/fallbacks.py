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
from app.relay.context import RequestContext
from app.relay.progress import RequestProgress
from app.relay.request_record import RequestRecord
from app.relay.response_cache import ResponseCache
from app.relay.retry_policy import MAX_ATTEMPTS
from app.streaming.events import Event

Ticks = Iterator[list[Event] | None]

TOO_LONG = "context_length_exceeded"
TOO_LONG_WORDS = "context length"  # of servers that have no code for it


class FallbackChain:
    """`call` and `record` are those of the model whose turn it is."""

    def __init__(
        self,
        context: RequestContext,
        stream: Callable[[RequestContext, RequestRecord, RequestProgress], Ticks],
        progress: RequestProgress,
        cache: ResponseCache | None = None,
    ) -> None:
        self.context = context
        self.record = RequestRecord()
        self.refused: tuple[RequestContext, GatewayError] | None = (
            None  # the answer, where no account was tried for it
        )
        self._progress = progress
        self._relay = stream
        self._cache = cache

    def events(self) -> Ticks:
        """
        Yield what `Relay.stream` yields, of the first model that answers.

        After a cut a fallback may continue, if its answer begins with exactly what was delivered.
        """
        first: GatewayError | None = None
        for context in (self.context, *self.context.fallbacks):
            self.context, self.record = context, RequestRecord()
            self._progress.fallbacks_left -= first is not None
            try:
                yield from self._one()
                self.refused = None
                return
            except GatewayError as error:
                if isinstance(error, AnswersDiffer):
                    raise
                if first is None:
                    first = error
                    self.refused = None if self.record.row else (context, error)
                if not another_may(error) or not self._may_go_on(error):
                    break
        assert first is not None
        raise first

    def _may_go_on(self, error: GatewayError) -> bool:
        """Return whether another model may still answer, and note that it is about to."""
        progress = self._progress
        if progress.attempts >= MAX_ATTEMPTS:
            return False
        if self.record.first_ms is None and not progress.committed:
            return True
        stalled = self.record.last is not None and self.record.last.stalled
        if not progress.may_continue(stalled=stalled):
            return False
        progress.continuing(stalled=stalled)
        return True

    def _one(self) -> Ticks:
        """A kept answer is one from its beginning, so it never continues another."""
        if self._cache is None or self.context.caching is None or self._progress.committed:
            return self._stream(self.context, self.record)
        return self._cache.stream(self.context, self.record, self._stream)

    def _stream(self, context: RequestContext, record: RequestRecord) -> Ticks:
        return self._relay(context, record, self._progress)


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
