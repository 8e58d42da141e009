"""What happened to one request: filled by the relay, told to the client in headers, kept in the books."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.accounts.verdicts import judge
from app.errors import GatewayError, UpstreamError, UpstreamUnreachable
from app.ledger.entries import bounded_row
from app.limits.bounds import Bounds
from app.limits.prices import Price, ceiling_cost
from app.limits.token_estimates import BY_BYTES
from app.relay.charges import AttemptCharge, estimated_charge, exceeded, may_have_billed
from app.relay.context import RequestContext
from app.relay.endpoint_types import AnyAttempt
from app.relay.retry_policy import Action, Stage, decide
from app.stores.records.ledger import CHARGED, UNREPORTED
from app.streaming.events import Event
from app.streaming.usage import Usage
from schemas import bounds

CLIENT_CLOSED = 499  # nginx's number for it: nobody was left to be told
COUNTED = (*CHARGED, "ceiling_cost", *UNREPORTED)  # what limits count, of an attempt and of a row
FIGURES = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


class RequestRecord:
    def __init__(self) -> None:
        self.attempts: list[dict[str, Any]] = []
        self.limits: list[list[Any]] = []  # standing of each limit at admission, for x-ratelimit headers
        self.ignored: list[str] = []  # fields the serving account cannot honour
        self.account = ""
        self.account_name = ""
        self.mark: dict[str, Any] = {}
        self.input_ratio = 1.0  # of what upstreams count to what we guess
        self.bounds = Bounds({}, {"input_tokens": 0})
        self.unenforced = False  # whether the running attempt's account may bill more than the length
        self.price: Price | None = None  # of the model that was asked for
        self.status = 200
        self.row: dict[str, Any] = {}  # of the ledger, once it is settled
        self.error_code: str | None = None
        self.admitted_ms = 0
        self.first_ms: int | None = None
        self.waste_cost = 0  # micro-dollars of attempts that came to nothing; the client pays for one
        self.cache_id = ""  # of a caller who wants answers kept
        self.stored: list[Event] | None = None  # the answer, where an earlier one is given again
        self.last: AnyAttempt | None = None
        self.charge: dict[str, Any] | None = None  # of the attempt that failed last, if it may be billed
        self._running = False  # whether the last attempt has not ended yet

    @property
    def cache_hit(self) -> bool:
        """Whether an earlier answer is given again, which uses no account, no tokens and no money."""
        return self.stored is not None

    @property
    def held(self) -> dict[str, int]:
        """What is reserved for the running attempt, by limit name."""
        return self.bounds.unenforced if self.unenforced else self.bounds.most

    def admitted(self, choice: dict[str, Any]) -> None:
        self.limits = choice.get("limits") or []
        self.admitted_ms = choice["now"]
        self.account = choice["account"]

    def attempt(self, attempt: AnyAttempt, choice: Mapping[str, Any]) -> None:
        """Begin *attempt*, for which *choice* of the store has reserved."""
        self.unenforced = bool(choice.get("unenforced"))
        self.last, self.charge, self._running = attempt, None, True
        self.account, self.account_name = attempt.account.id, attempt.account.name
        self.ignored = attempt.prepared.ignored
        self.attempts.append({"account": attempt.account.id, "wire": attempt.prepared.protocol})

    def attempt_failed(self, error: UpstreamError) -> None:
        """Note how the newest attempt ended, and what it cost although nobody was served by it."""
        told = self.attempts[-1]
        told["error"] = error.code
        if isinstance(error, UpstreamUnreachable) and error.sent:
            told["maybe_billed"] = True  # the upstream may have served a request it did not answer
        attempt, self._running = self.last, False
        verdict = judge(error, attempt.account.kind, attempt.context.model) if attempt else judge(error)
        action = decide(verdict.failure, Stage.AFTER if attempt and attempt.committed else Stage.BEFORE)
        told |= {"failure": verdict.failure.value, "action": action.value}
        told["scope"] = verdict.consequence.scope.value
        if attempt is not None and may_have_billed(error, attempt, verdict.failure):
            self._charge_failed(attempt, told)

    def _charge_failed(self, attempt: AnyAttempt, told: dict[str, Any]) -> None:
        figures = self._figures(attempt, self._charge_of(attempt, failed=True))
        charged = {name: figures[name] for name in COUNTED if name in figures}
        self.charge = {"account": attempt.account.id, **charged}
        told |= charged | ({"counted_by": figures["counted_by"]} if "counted_by" in figures else {})
        if wasted := charged["input_tokens"] + charged["output_tokens"]:
            told["wasted_tokens"] = wasted
        self.waste_cost += charged.get("cost", 0)

    def excluded_accounts(self) -> set[str]:
        """Return the ids of the accounts that failed in a way that they would repeat."""
        return {each["account"] for each in self.attempts if each.get("action") == Action.OTHER_ACCOUNT_ONLY}

    def first_event(self, seconds: float) -> None:
        """Note when the client was first given something, counted from the request."""
        if self.first_ms is None:
            self.first_ms = round(seconds * 1000)

    def finished(self) -> None:
        self.status = 200

    def client_left(self) -> None:
        self.status, self.error_code = CLIENT_CLOSED, "client_gone"

    def failed(self, error: GatewayError) -> None:
        self.status, self.error_code = error.status, error.code

    def broke(self) -> None:
        self.status, self.error_code = 500, "server_error"

    def settlement(self, context: RequestContext, total_seconds: float) -> dict[str, Any]:
        """Return what settle.lua takes: the mark on the last account, and the ledger row."""
        mark = self.mark | (self.exceeded() if self._running else {})
        row: dict[str, Any] = {
            "id": context.request_id,
            "at_ms": self.admitted_ms or round(context.key.now * 1000),
            "key": context.key.id,
            "account": self.account,
            "model": context.model,
            "endpoint": context.endpoint,
            "status": self.status,
            "attempts": self.attempts,
            "total_ms": round(total_seconds * 1000),
            **self._usage(context),
        }
        notes = {
            "asked": context.asked,
            "error": self.error_code,
            "first_ms": self.first_ms,
            "waste_cost": self.waste_cost,
        }
        row |= {name: value for name, value in notes.items() if value}
        self.row = row = bounded_row(row)
        return {"id": context.request_id, "mark": mark, "row": row}

    def exceeded(self) -> dict[str, Any]:
        """Return what a mark says where the last attempt was billed more than the length it had."""
        told = exceeded(self.last, self.held) if self.last and not self.unenforced else None
        return {"exceeded": told} if told else {}

    def _usage(self, context: RequestContext) -> dict[str, Any]:
        """Return what all attempts used, as far as it was reported, else estimated; and what it cost."""
        nothing = {"input_tokens": 0, "output_tokens": 0, "cost": 0}
        if self.cache_hit or self.last is None:
            return {"source": "cache" if self.cache_hit else "estimated", **nothing}
        failed = [attempt for attempt in self.attempts if "input_tokens" in attempt]
        charge = self._charge_of(self.last) if self._running else AttemptCharge(Usage(0, 0, 0))
        own = self._figures(self.last, charge)
        if self._running and charge.most is not None:
            own["unreported"] = self._reason(self.last)
        for attempt in failed:
            if "counted_by" in attempt:
                own = {"counted_by": attempt["counted_by"], "unreported": "failed"} | own
        reported = "counted_by" not in own and (self._running or failed)
        told = {"source": "upstream"} if reported else {"source": "estimated", "counted_by": BY_BYTES}
        return told | own | (_summed([own, *failed]) if failed else {})

    def _reason(self, attempt: AnyAttempt) -> str:
        """Return why the usage of an attempt that did not fail is not known."""
        if attempt.was_cut:
            return "cut"
        if self.status == CLIENT_CLOSED:
            return "client_left"
        return "not_reported" if self.status == 200 else "failed"

    def tier(self, context: RequestContext) -> str | None:
        """Return what the answer is billed as: the upstream's word, else what was asked for."""
        told = self.last.reader.service_tier if self.last else None
        return told or bounds.text(context.body.get("service_tier"), bounds.MAX_TIER_CHARS)

    def _charge_of(self, attempt: AnyAttempt, *, failed: bool = False) -> AttemptCharge:
        """
        Return what *attempt* is charged.

        Of one that failed before it produced anything the estimate is that nothing was read either.
        """
        if (reported := attempt.reader.reported_usage) is not None:
            return AttemptCharge(reported)
        produced = attempt.reader.output_bytes
        reads = produced or (not failed and self.status in (200, CLIENT_CLOSED))
        return estimated_charge(attempt, self.held, self._read() if reads else 0)

    def _figures(self, attempt: AnyAttempt, charge: AttemptCharge) -> dict[str, Any]:
        """Return the figures of a ledger row that *charge* comes to."""
        tier = attempt.reader.service_tier or attempt.context.body.get("service_tier")
        usage = charge.usage
        told: dict[str, Any] = {name: n for name in FIGURES if (n := getattr(usage, name)) is not None}
        if tier:
            told["tier"] = tier
        told |= self._cost(attempt, usage, tier)
        if charge.most is None:
            return told
        max_input, max_output = charge.most
        most = {"input_tokens": max_input, "output_tokens": max_output}
        if self.price is not None and attempt.account.kind != "demo" and None not in charge.most:
            requested = attempt.context.body.get("service_tier")
            most["cost"] = self.price.most(max_input or 0, max_output or 0, requested)
        beyond = {f"unreported_{name}": (amount or 0) - told.get(name, 0) for name, amount in most.items()}
        return told | {"counted_by": charge.counted_by} | {name: n for name, n in beyond.items() if n > 0}

    def _read(self) -> int:
        """The likely input, as this model's upstreams have been counting it; some of something."""
        guessed = self.bounds.likely.get("input_tokens", 0)
        likely = max(round(guessed * self.input_ratio), min(guessed, 1))
        return min(likely, self.bounds.most.get("input_tokens", likely))

    def _cost(self, attempt: AnyAttempt, usage: Usage, tier: str | None) -> dict[str, Any]:
        """Micro-dollars by which price list; without a price, only what a balanced limit is charged."""
        if attempt.account.kind == "demo":
            return {"cost": 0, "price": "demo"}
        if self.price is None:
            return {"ceiling_cost": ceiling_cost(usage), "price": "none"}
        return {"cost": self.price.cost(usage, tier), "price": self.price.version}


def _summed(parts: list[dict[str, Any]]) -> dict[str, int]:
    """Return what limits count of all *parts*; a row of a model without a price has no cost."""
    return {
        name: sum(part.get(name, 0) for part in parts)
        for name in COUNTED
        if any(name in part for part in parts)
    }
