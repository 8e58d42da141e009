"""
Model fallbacks: try the requested model, then each of its fallbacks in order.

Each is admitted and settled on its own; deadline, attempts and waits are counted over all of them.
Another model may answer until a user could see something, and continue after that where the
caller opted in; if none can, the first failure is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from app.accounts.failures import Failure
from app.accounts.verdicts import classify
from app.errors import (
    ClientGone,
    GatewayError,
    ModelNotFound,
    NoAccounts,
    QuotaExceeded,
    ResponsesDiffer,
    UpstreamError,
    internal_error,
)
from app.limits.prices import Price
from app.records import record
from app.relay.attempt import ResponseHead
from app.relay.content_types import EVENTS
from app.relay.context import JsonObject, RequestContext
from app.relay.model_names import renamed
from app.relay.progress import RequestProgress
from app.relay.request_record import RequestRecord
from app.relay.response_cache import ResponseCache
from app.relay.retry_policy import MAX_ATTEMPTS
from app.relay.waiting import EarlierModelsDue
from app.stores.records.admission import LimitStanding
from app.stores.records.ledger import LedgerRow, PassedAccountRow, PassedOverRow
from app.streaming.events import EventBatches
from app.streaming.upstream_errors import is_too_long
from app.upstream.responses import essence_of

# Bounds of `passed_over` in a ledger row: about 2 kB
MAX_PASSED_MODELS = 8
MAX_PASSED_ACCOUNTS = 4  # of each model


@record
class ServedBy:
    """How a request is served: by which model and account, and how the limits stood at admission."""

    context: RequestContext  # the request to the model that answers
    account_name: str = ""  # empty: no account was tried
    account_kind: str = ""
    limits: Sequence[LimitStanding] = ()
    admitted_at: float = 0.0  # Unix seconds
    ignored: Sequence[str] = ()  # fields of the request that the account cannot honour


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How the response cache was used; `id` is '' where it was not."""

    id: str = ""
    is_hit: bool = False


class FallbackChain:
    """One request, tried at each model that may answer it."""

    def __init__(
        self,
        context: RequestContext,
        stream: Callable[[RequestContext, RequestRecord, RequestProgress], EventBatches],
        progress: RequestProgress,
        cache: ResponseCache | None = None,
    ) -> None:
        self._context = context
        self._record = RequestRecord()
        self._settled: list[RequestRecord] = []  # of the models that admitted the request, in order
        self._refused: tuple[RequestContext, GatewayError] | None = None
        self._progress = progress
        self._relay = stream
        self._cache = cache
        self._due: Sequence[RequestContext] = ()  # to try again, in order

    @property
    def context(self) -> RequestContext:
        """The request to the model that is tried now; once all have failed, to the one that is reported."""
        return self._context

    @property
    def ledger_rows(self) -> list[LedgerRow]:
        """The ledger rows so far, in order: one for each model that admitted the request."""
        return [record.row for record in self._settled if record.row is not None]

    @property
    def ledger_row(self) -> LedgerRow | None:
        """The newest ledger row: that of the last model that admitted the request; None if none did."""
        return self._last_settled.row

    @property
    def account_name(self) -> str:
        """The account of `ledger_row`; '' if no account was tried."""
        return self._last_settled.account_name

    @property
    def _last_settled(self) -> RequestRecord:
        """The record of the last model that admitted the request; of the present one if none did."""
        return self._settled[-1] if self._settled else self._record

    @property
    def is_caller_current(self) -> bool:
        """Whether admission has compared the API key with its stored record."""
        return self._progress.is_caller_current

    @property
    def has_delivered(self) -> bool:
        """Whether the client received a part of a response."""
        return self._record.first_ms is not None or self._progress.committed

    def served_by(self) -> ServedBy:
        """Return how the request is served, as far as that is known."""
        record = self._record
        return ServedBy(
            self._context,
            record.account_name,
            record.last.account.kind if record.last is not None else "",
            record.limits,
            record.admitted_ms / 1000,
            record.ignored,
        )

    def take_refusal(self) -> tuple[RequestContext, GatewayError] | None:
        """
        Return, once, the first request and its error, which refers to this chain; None if it was admitted.

        That no model admitted a request can also be due to its client, which left, or to a defect.
        """
        refused, self._refused = self._refused, None
        return refused if refused and not self.ledger_rows else None

    def upstream_head(self) -> ResponseHead | None:
        """Return the head of the upstream's response, None where no account was tried."""
        last = self._record.last
        return last.response if last is not None else None

    def upstream_body(self) -> JsonObject:
        """Return the body that the last account was sent, {} where none was tried."""
        last = self._record.last
        return last.request.body if last is not None else {}

    def take_raw_events(self) -> list[JsonObject]:
        """Return the upstream's events since the last call; empty without the option `include_raw`."""
        last = self._record.last
        if last is None:
            return []
        events, last.raw_events = last.raw_events, []
        return events

    def cache_use(self) -> CacheUse:
        return CacheUse(self._record.cache_id, self._record.cache_hit)

    def price(self) -> Price | None:
        """Return the price of the model that answers, None where it has none."""
        return self._record.price

    def service_tier(self) -> str | None:
        """Return the service tier that is billed."""
        return self._record.tier(self._context)

    def events(self) -> EventBatches:
        """
        Yield what `Relay.stream` yields for the first model that answers.

        A fallback may continue a stream that broke off if its response begins with what was delivered.
        While the last model is waited for, those that were passed over are tried again. If it fails, they are
        waited for.
        """
        first: tuple[RequestContext, GatewayError] | None = None
        passed_over: dict[str, PassedOverRow] = {}  # by request id: each target has its own
        fallbacks = self._context.fallbacks
        contexts = chain((self._context,), fallbacks, self._to_recheck()) if fallbacks else (self._context,)
        for context in contexts:
            passed_over.pop(context.request_id, None)
            self._context = context
            self._record = RequestRecord(
                self.ledger_row, 1 + len(fallbacks), [*passed_over.values()][:MAX_PASSED_MODELS]
            )
            self._progress.fallbacks_left -= first is not None
            try:
                yield from self._named(self._stream_model())
                self._refused = None
                return
            except EarlierModelsDue:
                self._due = (*self._progress.passed_over, context)
                self._progress.passed_over = ()
            except GatewayError as error:
                if isinstance(error, ResponsesDiffer):
                    raise
                if self._record.row is None:
                    passed_over[context.request_id] = passed_over_row(context.request.model, error)
                if first is None or (first[0] is context and self._record.row):
                    first = context, error
                    self._refused = None if self._record.row else (context, error)
                if not may_fall_back(error) or not self._may_continue():
                    break
            except BaseException as error:
                if self._record.row is None:
                    self._refused = first[0] if first is not None else context, _reason(error)
                raise
            finally:
                if self._record.row is not None:
                    self._settled.append(self._record)
        if first is not None:
            try:
                raise self._reported(*first)
            finally:
                del first  # its traceback has this frame: a cycle, which would retain the request

    def _reported(self, context: RequestContext, failure: GatewayError) -> GatewayError:
        """Return *failure*, of the request *context*, which the client receives as all models have failed."""
        self._context = context
        if waited := self._progress.queued_seconds:
            failure.admission = {**failure.admission, "queued_ms": round(waited * 1000)}
        return failure

    def _to_recheck(self) -> Iterator[RequestContext]:
        """Yield the models to try again while the last one is waited for, and again when it has failed."""
        yield from self._take_due()
        self._due, self._progress.passed_over = self._progress.passed_over, ()
        yield from self._take_due()

    def _take_due(self) -> Iterator[RequestContext]:
        """Yield the models that are due: those that were passed over, then the one that is waited for."""
        while self._due:
            context, *due = self._due
            self._due = due
            self._progress.fallbacks_left = len(due) + 1  # `events` subtracts one for this model
            yield context

    def _may_continue(self) -> bool:
        """Return whether another model may still answer; if it continues a broken stream, note that."""
        progress = self._progress
        if progress.attempts >= MAX_ATTEMPTS:
            return False
        if self._record.first_ms is None and not progress.committed:
            return True
        stalled = self._record.last is not None and self._record.last.stalled
        if not progress.may_continue(stalled=stalled):
            return False
        progress.note_continuation(stalled=stalled)
        return True

    def _named(self, batches: EventBatches) -> EventBatches:
        """Return *batches* with the model name that the caller knows, where a model route changed it."""
        name = self._context.request.response_model
        return renamed(batches, name, self._is_event_stream) if name else batches

    def _is_event_stream(self) -> bool:
        """Return whether the upstream's response is a stream of events."""
        head = self.upstream_head()
        return head is not None and essence_of(head.headers) == EVENTS

    def _stream_model(self) -> EventBatches:
        """Stream one model; a stored response starts from the beginning, so it never continues another."""
        caching = self._context.options.caching
        if self._cache is None or caching is None or self._progress.committed:
            return self._stream(self._context, self._record)
        return self._cache.stream(self._context, caching, self._record, self._stream)

    def _stream(self, context: RequestContext, record: RequestRecord) -> EventBatches:
        return self._relay(context, record, self._progress)


def _reason(error: BaseException) -> GatewayError:
    """Return why no model admitted a request that *error* ended: its client left, or there is a defect."""
    if isinstance(error, GeneratorExit):
        return ClientGone("The client closed the connection")
    return internal_error()


def passed_over_row(model: str, error: GatewayError) -> PassedOverRow:
    """Return what the ledger stores of *model*, which did not admit a request because of *error*."""
    seen: list[PassedAccountRow] = [
        {"account": account_id, "reason": reason}
        for account_id, _, reason in list(error.admission.get("seen", ()))[:MAX_PASSED_ACCOUNTS]
    ]
    return {"model": model, "code": error.recorded_code or "", "seen": seen}


def may_fall_back(error: GatewayError) -> bool:
    """Return whether another model may succeed where one failed with *error*."""
    if not isinstance(error, UpstreamError):
        return isinstance(error, NoAccounts | QuotaExceeded | ModelNotFound)
    match classify(error):
        case Failure.CALLER:
            return is_too_long(error)
        case Failure.DEADLINE:
            return False
    return True
