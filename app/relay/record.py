"""What happened to one request: filled by the relay, told to the client in headers, kept in the books."""

from __future__ import annotations

from typing import Any

from app.errors import GatewayError, UpstreamError, UpstreamUnreachable
from app.pool.verdicts import judge
from app.quotas.bounds import Bounds
from app.quotas.prices import Price, ceiling_cost
from app.quotas.rows import bounded_row
from app.quotas.tokens import tokens_of
from app.relay.call import Call
from app.relay.decisions import Action, Stage, decide
from app.relay.manners import OneAttempt
from app.streaming.usage import Usage
from schemas import bounds

CLIENT_CLOSED = 499  # nginx's number for it: nobody was left to be told
FIGURES = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


class Record:
    def __init__(self) -> None:
        self.attempts: list[dict[str, Any]] = []
        self.limits: list[list[Any]] = []  # standing of each limit at admission, for x-ratelimit headers
        self.ignored: list[str] = []  # fields the serving account cannot honour
        self.account = ""
        self.account_name = ""
        self.mark: dict[str, Any] = {}
        self.input_ratio = 1.0  # of what upstreams count to what we guess
        self.bounds = Bounds({}, {"input_tokens": 0})
        self.price: Price | None = None  # of the model that was asked for
        self.status = 200
        self.row: dict[str, Any] = {}  # of the ledger, once it is settled
        self.error_code: str | None = None
        self.admitted_ms = 0
        self.first_ms: int | None = None
        self.waste_cost = 0  # micro-dollars of attempts that came to nothing; the client pays for one
        self.cache_id = ""  # of a caller who wants answers kept
        self.cache_hit = False
        self.last: OneAttempt | None = None

    def admitted(self, choice: dict[str, Any]) -> None:
        self.limits = choice.get("limits") or []
        self.admitted_ms = choice["now"]
        self.account = choice["account"]

    def attempt(self, attempt: OneAttempt) -> None:
        self.last = attempt
        self.account, self.account_name = attempt.account.id, attempt.account.name
        self.ignored = attempt.prepared.ignored
        self.attempts.append({"account": attempt.account.id, "wire": attempt.prepared.wire})

    def attempt_failed(self, error: UpstreamError) -> None:
        """Note how the newest attempt ended, and what it cost although nobody was served by it."""
        told = self.attempts[-1]
        told["error"] = error.code
        if isinstance(error, UpstreamUnreachable) and error.sent:
            told["maybe_billed"] = True  # the upstream may have served a request it did not answer
        attempt = self.last
        verdict = judge(error, attempt.account.kind, attempt.call.model) if attempt else judge(error)
        action = decide(verdict.failure, Stage.AFTER if attempt and attempt.committed else Stage.BEFORE)
        told |= {"failure": verdict.failure.value, "action": action.value}
        told["scope"] = verdict.consequence.scope.value
        if attempt is not None and (attempt.reader.usage or attempt.reader.output_bytes):
            usage = attempt.reader.usage or self._estimate(attempt)[0]
            told["wasted_tokens"] = usage.total_tokens
            self.waste_cost += self._cost(attempt, usage, None).get("cost", 0)

    def excluded_accounts(self) -> set[str]:
        """Return the ids of the accounts that failed in a way that they would repeat."""
        return {each["account"] for each in self.attempts if each.get("action") == Action.OTHER_ONLY}

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

    def settlement(self, call: Call, total_seconds: float) -> dict[str, Any]:
        """Return what settle.lua takes: the mark on the last account, and the ledger row."""
        row: dict[str, Any] = {
            "id": call.request_id,
            "at_ms": self.admitted_ms or round(call.key.now * 1000),
            "key": call.key.id,
            "account": self.account,
            "model": call.model,
            "endpoint": call.endpoint,
            "status": self.status,
            "attempts": self.attempts,
            "total_ms": round(total_seconds * 1000),
            **self._usage(call),
        }
        notes = {
            "asked": call.asked,
            "error": self.error_code,
            "first_ms": self.first_ms,
            "waste_cost": self.waste_cost,
        }
        row |= {name: value for name, value in notes.items() if value}
        self.row = row = bounded_row(row)
        return {"id": call.request_id, "mark": self.mark, "row": row}

    def _usage(self, call: Call) -> dict[str, Any]:
        """Usage as the upstream told it, else an estimate of what it produced; and what it cost."""
        attempt = self.last
        if self.cache_hit:
            return {"source": "cache", "input_tokens": 0, "output_tokens": 0, "cost": 0}
        if attempt is None:
            return {"source": "estimated", "input_tokens": 0, "output_tokens": 0, "cost": 0}
        usage, told = attempt.reader.usage, {"source": "upstream"}
        if usage is None:
            usage, counted_by = self._estimate(attempt)
            told = {"source": "estimated", "counted_by": counted_by}
        if tier := self.tier(call):
            told["tier"] = tier
        figures = {name: getattr(usage, name) for name in FIGURES}
        counted = {name: value for name, value in figures.items() if value is not None}
        return told | counted | self._cost(attempt, usage, tier)

    def tier(self, call: Call) -> str | None:
        """Return what the answer is billed as: the upstream's word, else what was asked for."""
        told = self.last.reader.service_tier if self.last else None
        return told or bounds.text(call.body.get("service_tier"), bounds.MAX_TIER_CHARS)

    def _estimate(self, attempt: OneAttempt) -> tuple[Usage, str]:
        """
        Return what *attempt* probably used, and how that was counted; never more than it was allowed.

        One that failed before it produced anything has not read anything either.
        """
        produced, counted_by = tokens_of(attempt.reader.output_bytes, attempt.reader.deltas)
        produced = min(produced, self.bounds.most.get("output_tokens", produced))
        read = self._read() if produced or self.status in (200, CLIENT_CLOSED) else 0
        return Usage(read, produced, read + produced), counted_by

    def _read(self) -> int:
        """The likely input, as this model's upstreams have been counting it; some of something."""
        guessed = self.bounds.likely.get("input_tokens", 0)
        likely = max(round(guessed * self.input_ratio), min(guessed, 1))
        return min(likely, self.bounds.most.get("input_tokens", likely))

    def _cost(self, attempt: OneAttempt, usage: Usage, tier: str | None) -> dict[str, Any]:
        """Micro-dollars by which price list; without a price, only what a balanced limit is charged."""
        if attempt.account.kind == "demo":
            return {"cost": 0, "price": "demo"}
        if self.price is None:
            return {"ceiling_cost": ceiling_cost(usage), "price": "none"}
        return {"cost": self.price.cost(usage, tier), "price": self.price.version}
