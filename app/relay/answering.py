"""
One request over the models that may answer it: the one it names, then its `fallbacks`.

Each is a request of its own, admitted, repeated and booked as if it were the only one. Another
model may answer until a user could see something; if none can, the first one's failure is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.errors import GatewayError, ModelNotFound, NoAccounts, QuotaExceeded, UpstreamError
from app.pool.failures import Failure
from app.pool.verdicts import classify
from app.relay.cache import AnswerCache
from app.relay.call import Call
from app.relay.record import Record
from app.streaming.events import Event

Ticks = Iterator[list[Event] | None]

TOO_LONG = "context_length_exceeded"
TOO_LONG_WORDS = "context length"  # of servers that have no code for it


class Answering:
    """`call` and `record` are those of the model whose turn it is."""

    def __init__(
        self, call: Call, stream: Callable[[Call, Record], Ticks], cache: AnswerCache | None = None
    ) -> None:
        self.call = call
        self.record = Record()
        self.refused: tuple[Call, GatewayError] | None = None  # the answer, where no account was tried for it
        self._stream = stream
        self._cache = cache

    def events(self) -> Ticks:
        """Yield what `Relay.stream` yields, of the first model that answers."""
        told: GatewayError | None = None
        for call in (self.call, *self.call.fallbacks):
            self.call, self.record = call, Record()
            try:
                yield from self._one()
                self.refused = None
                return
            except GatewayError as error:
                if self.record.first_ms is not None:
                    raise
                if told is None:
                    told = error
                    self.refused = None if self.record.row else (call, error)
                if not another_may(error):
                    break
        assert told is not None
        raise told

    def _one(self) -> Ticks:
        if self._cache is None or self.call.caching is None:
            return self._stream(self.call, self.record)
        return self._cache.stream(self.call, self.record, self._stream)


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
