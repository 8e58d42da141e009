"""What happened to one request: the source of response headers and of its ledger entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from app.accounts.verdicts import judge
from app.errors import GatewayError, UpstreamError, UpstreamUnreachable
from app.ledger.entries import bound_row
from app.limits.bounds import Bounds
from app.limits.prices import Price
from app.limits.token_estimates import BY_BYTES
from app.relay.affinity import conversation_holder_of
from app.relay.attempt import Attempt
from app.relay.attempt_figures import COUNTED, add_figures, bound_figures, figures_of
from app.relay.charges import AttemptCharge, estimate_charge, exceeded, may_have_billed
from app.relay.context import RequestContext
from app.relay.retry_policy import Phase, decide
from app.stores.records.admission import CalendarWindows, LimitStanding, Selection
from app.stores.records.ledger import (
    Action,
    AttemptEntry,
    AttemptRow,
    FallbackRow,
    LedgerRow,
    PassedOverRow,
    Stop,
    UsageRow,
    UsageSource,
)
from app.stores.records.settlement import NO_OUTCOME, Outcome, Settlement
from app.streaming.events import Event
from app.streaming.usage import Usage
from app.translation.requests.field_support import MAX_IGNORED_NAMES
from schemas import bounds

FAILED_FROM = 400  # status
CLIENT_CLOSED = 499  # nginx's status for a client that closed the connection before the response
# Plain strings, because `bound_row` takes longer for enums.
_UPSTREAM, _ESTIMATED = UsageSource.UPSTREAM.value, UsageSource.ESTIMATED.value
_CACHE = UsageSource.CACHE.value


class RequestRecord:
    """The attempts of one request at one model, and what they cost. Costs are in micro-dollars."""

    def __init__(
        self,
        failed_before: LedgerRow | None = None,
        models: int = 1,
        passed_over: Sequence[PassedOverRow] = (),
    ) -> None:
        self._failed_before = failed_before  # the row of the model that failed before, if one did
        self._passed_over = passed_over  # earlier models that did not admit the request
        self._models = models  # that the request may be tried at
        self.attempts: list[AttemptRow] = []  # in the form that the ledger stores
        self.limits: Sequence[LimitStanding] = ()  # for the x-ratelimit headers
        self.ignored: list[str] = []  # fields that the serving account cannot honour
        self.account_id = ""
        self.account_name = ""
        self.outcome = NO_OUTCOME  # of the last attempt, until it is reported
        self.input_ratio = 1.0  # reported input tokens per estimated token
        self.bounds = Bounds({}, {"input_tokens": 0})
        self.may_exceed_length = False  # the account may bill more than the requested length
        self.price: Price | None = None  # price of the requested model
        self.stopped = ""  # why no further attempt was made: a Stop
        self.status = 200
        self.row: LedgerRow | None = None  # the ledger row, once settled
        self.error_code: str | None = None
        self.admitted_ms = 0
        self.queued_ms = 0  # how long it waited for an account before admission
        self.first_ms: int | None = None
        self.waste_cost = 0  # cost of failed attempts, which the total `cost` includes
        self.cache_id = ""  # id in the response cache, if the caller uses it
        self.stored: list[Event] | None = None  # the stored response that is returned, if any
        self.last: Attempt | None = None
        self.charge: AttemptRow | None = None  # charge of the last failed attempt, if it may be billed
        self._is_running = False  # whether an attempt is under way

    @property
    def cache_hit(self) -> bool:
        """Whether a stored response is returned, which uses no account, no tokens and no money."""
        return self.stored is not None

    @property
    def reserved(self) -> Mapping[str, int]:
        """The amounts that are reserved for the running attempt, by limit unit."""
        return self.bounds.unenforced if self.may_exceed_length else self.bounds.upper_bound

    def admit(self, selection: Selection, queued_ms: int = 0) -> None:
        """Record the admission, with the first account that was selected, after a wait of *queued_ms*."""
        self.queued_ms = queued_ms
        self.limits = selection.limits
        self.admitted_ms = selection.now_ms
        self.account_id = selection.account_id

    def start_attempt(self, attempt: Attempt, selection: Selection) -> None:
        """Record the start of *attempt*, at the account and with the reservation of *selection*."""
        self.may_exceed_length = selection.may_exceed_length
        self.last, self.charge, self._is_running = attempt, None, True
        self.account_id, self.account_name = attempt.account.id, attempt.account.name
        dropped = attempt.context.request.dropped
        self.ignored = attempt.request.ignored
        if dropped:
            self.ignored = list(dict.fromkeys((*dropped, *self.ignored)))[:MAX_IGNORED_NAMES]
        self.attempts.append({"account": attempt.account.id, "wire": attempt.request.protocol})

    def fail_attempt(self, error: UpstreamError) -> None:
        """Record how the newest attempt failed, and what it may have cost."""
        fields = self.attempts[-1]
        fields["error"] = error.recorded_code
        if error.upstream_status is not None:
            fields["upstream_status"] = error.upstream_status
        if error.upstream_code:
            fields["upstream_code"] = error.upstream_code
        if isinstance(error, UpstreamUnreachable) and error.sent:
            fields["maybe_billed"] = True  # the upstream may have processed the request without answering
        attempt, self._is_running = self.last, False
        verdict = (
            judge(error, attempt.account.kind, attempt.context.request.model) if attempt else judge(error)
        )
        action = decide(verdict.failure, Phase.AFTER if attempt and attempt.committed else Phase.BEFORE)
        fields |= {"failure": verdict.failure.value, "action": action.value}
        fields["scope"] = verdict.consequence.scope.value
        if attempt is not None and may_have_billed(error, attempt, verdict.failure):
            fields |= self._charge_failed(attempt)

    def stop(self, reason: Stop, error: GatewayError) -> GatewayError:
        """Record why no further attempt is made; return *error*, which the client receives."""
        self.stopped = reason.value
        return error

    def note_adaptation(self, names: list[str]) -> None:
        """Record that the newest attempt is repeated at its account without *names*."""
        self.attempts[-1]["repeated_without"] = names

    def _charge_failed(self, attempt: Attempt) -> AttemptRow:
        """Charge a failed attempt; return the fields that its ledger entry has for it."""
        charged = figures_of(attempt, self._charge_of(attempt, failed=True), self.price)
        figures = bound_figures(charged, self.attempts)
        charge: AttemptRow = {"account": attempt.account.id}
        for name in COUNTED:
            if name in figures:
                charge[name] = figures[name]
        self.charge, fields = charge, charge.copy()
        if "counted_by" in figures:
            fields["counted_by"] = figures["counted_by"]
        if wasted := figures["input_tokens"] + figures["output_tokens"]:
            fields["wasted_tokens"] = wasted
        self.waste_cost += figures.get("cost", 0)
        return fields

    def note_first_event(self, seconds: float) -> None:
        """Record when the client first received something, in seconds since the request began."""
        if self.first_ms is None:
            self.first_ms = round(seconds * 1000)

    def fail(self, error: BaseException) -> None:
        """Record that *error* ended the request; GeneratorExit: its client left."""
        if isinstance(error, GeneratorExit):
            self.status, self.error_code = CLIENT_CLOSED, "client_gone"
        elif isinstance(error, GatewayError):
            self.status, self.error_code = error.status, error.recorded_code
        else:
            self.status, self.error_code = 500, "server_error"

    def settle(self, context: RequestContext, total_seconds: float, calendar: CalendarWindows) -> Settlement:
        """Complete the ledger entry and return the settlement."""
        outcome = self.outcome
        if self._is_running and (billed := self.exceeded()):
            outcome = Outcome(outcome.change, outcome.windows, billed)
        row: LedgerRow = {
            "id": context.request_id,
            "at_ms": self.admitted_ms or round(context.caller.key.now * 1000),
            "key": context.caller.key.id,
            "account": self.account_id,
            "model": context.request.model,
            "endpoint": context.request.endpoint,
            "status": self.status,
            "attempts": self.attempts,
            "total_ms": round(total_seconds * 1000),
        }
        row |= self._usage()  # type: ignore[typeddict-item]  # these are some of a row's fields
        if context.request.requested_model:
            row["asked"] = context.request.requested_model
        if context.caller.key.team:
            row["team"] = context.caller.key.team
        if self.error_code:
            row["error"] = self.error_code
        if self.first_ms:
            row["first_ms"] = self.first_ms
        if self.queued_ms:
            row["queued_ms"] = self.queued_ms
        if self.waste_cost:
            row["waste_cost"] = self.waste_cost
        if self.stopped:
            row["stopped"] = self.stopped
        if self._passed_over:
            row["passed_over"] = list(self._passed_over)
        if self._models > 1 and self.status >= FAILED_FROM:
            row["models"] = self._models
        if self._failed_before is not None:
            row |= _fallback_fields(self._failed_before)  # type: ignore[typeddict-item]  # these are some of a row's fields
        row = bound_row(row)
        if (attribution := context.caller.key.attribution) is not None:
            row |= attribution  # type: ignore[typeddict-item]  # these are some of a row's fields, and bounded
        self.row = row
        routing = context.routing
        return Settlement(
            context.request_id,
            outcome,
            row,
            calendar,
            routing.ownership,
            conversation_holder_of(routing.conversation),
        )

    def exceeded(self) -> str | None:
        """Return, as JSON, what the last attempt was billed beyond its reservation; None if nothing."""
        return exceeded(self.last, self.reserved) if self.last and not self.may_exceed_length else None

    def _usage(self) -> UsageRow:
        """Return the usage of all attempts, reported or else estimated, and its cost."""
        if self.cache_hit or self.last is None:
            source = _CACHE if self.cache_hit else _ESTIMATED
            return {"source": source, "input_tokens": 0, "output_tokens": 0, "cost": 0}
        failed = [attempt for attempt in self.attempts if "input_tokens" in attempt]
        charge = self._charge_of(self.last) if self._is_running else AttemptCharge(Usage(0, 0, 0))
        own = figures_of(self.last, charge, self.price)
        if failed:
            own = bound_figures(own, self.attempts)
        row: UsageRow = {"source": _UPSTREAM}
        row |= own  # type: ignore[typeddict-item]  # these are some of a row's fields
        if self._is_running and charge.upper_bound is not None:
            row["unreported"] = self._unreported_reason(self.last)
            if not self.limits:
                row["unlimited"] = True
        for attempt in failed:
            if "counted_by" in attempt:
                row.setdefault("counted_by", attempt["counted_by"])
                row.setdefault("unreported", "failed")
        if "counted_by" in row or not (self._is_running or failed):
            row["source"] = _ESTIMATED
            row.setdefault("counted_by", BY_BYTES)
        add_figures(row, failed)
        return row

    def _unreported_reason(self, attempt: Attempt) -> str:
        """Return why the usage of an attempt that did not fail is unknown."""
        if attempt.was_cut:
            return "cut"
        if self.status == CLIENT_CLOSED:
            return "client_left"
        return "not_reported" if self.status == 200 else "failed"

    def tier(self, context: RequestContext) -> str | None:
        """Return the service tier that is billed: as the upstream reports it, else as requested."""
        reported = self.last.reader.service_tier if self.last else None
        return reported or bounds.text(context.request.body.get("service_tier"), bounds.MAX_TIER_CHARS)

    def _charge_of(self, attempt: Attempt, *, failed: bool = False) -> AttemptCharge:
        """
        Return what *attempt* is charged.

        An attempt that failed before it produced anything is estimated to have read no input either. A usage
        of zero is not that of a response with output, as servers that count nothing report it.
        """
        produced, reported = attempt.reader.output_bytes, attempt.reader.reported_usage
        if reported is not None and (reported.total_tokens or not produced):
            return AttemptCharge(reported)
        has_read = produced or (not failed and self.status in (200, CLIENT_CLOSED))
        return estimate_charge(attempt, self.reserved, self._estimated_input() if has_read else 0)

    def _estimated_input(self) -> int:
        """Return the estimated input in tokens, as this model's upstreams count it."""
        guessed = self.bounds.estimate.get("input_tokens", 0)
        estimate = max(round(guessed * self.input_ratio), min(guessed, 1))
        return min(estimate, self.bounds.upper_bound.get("input_tokens", estimate))


def _fallback_fields(failed: LedgerRow) -> FallbackRow:
    """Return the fields of a row whose request was tried before at the model of *failed*."""
    attempts = (AttemptEntry.from_json(attempt) for attempt in failed.get("attempts") or ())
    by_accounts = sum(attempt.is_failure_of_account for attempt in attempts)
    return {"fallback_of": failed["id"], "fallbacks": 1, "failed_before": by_accounts}


def excluded_accounts(attempts: Iterable[AttemptRow]) -> set[str]:
    """Return the ids of the accounts of *attempts* that would fail again in the same way."""
    return {each["account"] for each in attempts if each.get("action") == Action.OTHER_ACCOUNT_ONLY}
