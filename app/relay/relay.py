"""
One request from admission to settlement, over as many accounts as it takes.

The lease lives in the generator that `stream` returns: closing it, however it ends, settles.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import structlog

from app.accounts.account import Account
from app.accounts.accounts import MAX_UNREADABLE, AccountBook
from app.accounts.known_models import KnownModels
from app.accounts.settings import settings_from
from app.accounts.token_refresh import TokenRefresher
from app.config import Settings, TimeLimits
from app.errors import CredentialUnreadable, GatewayError, ModelNotFound, NotFound, UpstreamTimeout
from app.ledger.settlements import Books
from app.limits.bounds import Bounds, ModelSize
from app.limits.calendar import Calendar
from app.limits.input_ratio import Calibration
from app.limits.limit import is_counted_strictly
from app.limits.price_overrides import PriceBook
from app.limits.prices import Price
from app.relay.active_requests import ActiveCalls
from app.relay.affinity import holding_of
from app.relay.context import Call
from app.relay.endpoint_types import Manner, OneAttempt, manner_of
from app.relay.failover import Route, paused
from app.relay.other_accounts import Alternatives
from app.relay.progress import RequestContext, context_of
from app.relay.refusals import admission_of, refusal
from app.relay.request_record import Record
from app.relay.retry_budget import RetryBudgets
from app.relay.timeouts import Patience, reading_seconds, shortened
from app.relay.waiting import wait_seconds
from app.stores.scripts import Scripts
from app.streaming.events import Event
from app.translation.field_support import Fit
from app.translation.resume import Resumed
from app.upstream.client import UpstreamClient

log = structlog.get_logger()


class Relay:
    def __init__(
        self,
        settings: Settings,
        scripts: Scripts,
        accounts: AccountBook,
        upstream: UpstreamClient,
        active: ActiveCalls,
        books: Books,
        prices: PriceBook,
        refresher: TokenRefresher,
        *,
        demo: bool = False,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._settings = settings
        self._scripts = scripts
        self._accounts = accounts
        self._upstream = upstream
        self._active = active
        self._books = books
        self._prices = prices
        self._refresher = refresher
        self._demo = demo
        self._clock = clock
        self._chance = chance or random.Random()
        self._calendar = Calendar()
        self._calibration = Calibration()
        self._waiting = active.waiting
        self._alternatives = Alternatives(accounts, clock, demo=demo)
        self._retry_budgets = RetryBudgets(clock)
        self._known_models = KnownModels(scripts.client, demo=demo)

    def context(self, call: Call) -> RequestContext:
        """Return what the attempts of *call* and of its fallbacks will share, from now on."""
        return context_of(call, self._clock(), self._limits(call).total)

    def stream(self, call: Call, record: Record, context: RequestContext) -> Iterator[list[Event] | None]:
        """
        Yield the client's events as they arrive together, and None as a tick in silence.

        *record* is filled on the way with what headers and books want to know. Raises
        GatewayError; before the first list it can still be an HTTP status.
        """
        if self._clock() >= context.deadline:
            raise UpstreamTimeout("The request took longer than this gateway allows")
        manner = manner_of(call)
        fit = manner.fit(call)
        record.price = self._prices.table(call.key.pool, call.key.prices).find(call.model)
        strict = is_counted_strictly(call.key.limits)
        record.bounds = manner.bounds(call, record.price, self._size(call, record.price, strict=strict))
        call.sent_length = record.bounds.sent_length
        record.input_ratio = self._calibration.ratio(call.model)
        ask = self._ask(call, record.bounds, fit)
        if record.stored is not None:
            ask |= {"stored": True, "bounds": {}, "estimates": {}}
            ask.pop("unenforced_bounds", None)
        started = self._clock()
        choice = yield from self._admitted(call, ask, manner, fit, context)
        record.admitted(choice)
        try:
            with self._active.entered(call):
                if record.stored is not None:
                    record.first_ms = 0
                    yield record.stored
                else:
                    choice = self._readable(call, ask | {"tried": [], "never": []}, choice)
                    if "refused" in choice:
                        raise self._refusal(call, manner, fit, choice)
                    record.account = choice["account"]
                    route = self._route(call, record, ask, manner, fit, context, strict=strict)
                    yield from route.events(choice)
            record.finished()
        except GeneratorExit:
            record.client_left()
            raise
        except GatewayError as error:
            record.failed(error)
            raise
        except BaseException:
            record.broke()
            raise
        finally:
            settlement = record.settlement(call, self._clock() - started)
            self._calibrate(call, record, settlement["row"])
            self._books.settle(
                call.key.pool,
                settlement
                | {
                    "calendar": ask["calendar"],
                    "ownership": call.ownership,
                    "conversation": ask["conversation"],
                },
            )

    def _calibrate(self, call: Call, record: Record, row: dict[str, Any]) -> None:
        if row["source"] == "upstream":
            usage = record.last.reader.reported if record.last else None
            if usage is not None:
                guessed = record.bounds.likely.get("input_tokens", 0)
                self._calibration.learn(call.model, guessed, usage.input_tokens)

    def _admitted(
        self, call: Call, ask: dict[str, Any], manner: Manner, fit: Fit, context: RequestContext
    ) -> Generator[None, None, dict[str, Any]]:
        """Return the choice of an account, after a short wait where one has room again within seconds."""
        while True:
            reply = self._admit(call, ask)
            if "refused" not in reply:
                return reply
            wait = None if self._waiting.full else wait_seconds(reply, context, self._clock(), self._chance)
            if wait is None:
                raise self._refusal(call, manner, fit, reply)
            context.waited_seconds += wait
            with self._waiting.entered(call):
                yield from paused(wait, call, context, self._limits(call).keepalive, self._clock)
            ask["by_ms"] = self._given_up_at_ms(call)

    def _admit(self, call: Call, ask: dict[str, Any]) -> dict[str, Any]:
        reply = self._scripts.run_json("admit", call.key.pool, ask)
        if reply.get("refused") == "calendar":  # our clock and the store's disagree about the day
            ask["calendar"] = self._calendar.windows(call.key.zone, reply["now"] / 1000)
            reply = self._scripts.run_json("admit", call.key.pool, ask)
        return reply

    def _refusal(self, call: Call, manner: Manner, fit: Fit, reply: dict[str, Any]) -> GatewayError:
        if reply["refused"] == "conversation":
            return NotFound(f"Conversation with id '{call.conversation}' not found.", param="conversation")
        error = self._nobody_ever(call, manner, reply) or self._unknown_model(call, reply)
        if error is None:
            return refusal(reply, native_field=fit.field)
        error.admission = admission_of(reply)
        return error

    def _unknown_model(self, call: Call, reply: dict[str, Any]) -> GatewayError | None:
        """Return ModelNotFound where no account has the model: that comes before any limit."""
        if reply["refused"] != "limit" and (reply["refused"] != "no_accounts" or reply["offered"]):
            return None
        usable = (call.pin,) if call.pin else call.key.accounts
        if not self._known_models.lacks(call.key.pool, call.model, usable):
            return None
        return ModelNotFound(f"No account of this pool offers the model '{call.model}'", param="model")

    def _nobody_ever(self, call: Call, manner: Manner, reply: dict[str, Any]) -> GatewayError | None:
        """Return what to say where no account could serve *call*, however long one waited."""
        if reply["refused"] != "no_accounts" or reply["offered"]:
            return None
        return manner.absent(call, {account.kind for account in self._accounts.all(call.key.pool)})

    def _limits(self, call: Call) -> TimeLimits:
        return settings_from(call.key.settings).limits_for(call.model, self._settings.limits)

    def _route(
        self,
        call: Call,
        record: Record,
        ask: dict[str, Any],
        manner: Manner,
        fit: Fit,
        context: RequestContext,
        *,
        strict: bool,
    ) -> Route:
        limits = manner.patient(self._limits(call))
        budget = self._retry_budgets.of(call.key.pool)
        if not context.attempts:
            budget.count_request(call.key.id)

        def begin(choice: dict[str, Any], resumed: Resumed | None) -> OneAttempt:
            account = self._accounts.get(call.key.pool, choice["account"], choice["version"])
            bounded = strict and not choice.get("unenforced")
            call.most_output = record.bounds.most.get("output_tokens") if bounded else None
            own = limits if resumed is None else shortened(limits)
            patience = self._patience(call, fit, record, account, own, context)
            return manner.begin(call, account, patience, self._upstream, resumed)

        return Route(
            call,
            record,
            begin=begin,
            report=lambda told: self._readable(call, ask | told, self._report(call, ask | told)),
            renew=lambda account: self._refresher.refresh_after_401(call.key.pool, account),
            context=context,
            budget=budget,
            limits=limits,
            clock=self._clock,
            chance=self._chance,
            most_accounts=manner.most_accounts,
        )

    def _patience(
        self,
        call: Call,
        fit: Fit,
        record: Record,
        account: Account,
        limits: TimeLimits,
        context: RequestContext,
    ) -> Patience:
        def has_alternative() -> bool:
            excluded = {account.id, *record.excluded_accounts()}
            return context.fallbacks_left > 0 or self._alternatives.exist(call, fit, excluded)

        return Patience(
            limits,
            reasons=call.reasons,
            context=context,
            clock=self._clock,
            reading_seconds=reading_seconds(account.kind, record.bounds.likely.get("input_tokens", 0)),
            has_alternative=has_alternative,
        )

    def _given_up_at_ms(self, call: Call) -> int:
        """Return until when the store may answer an admission that begins now, in its own Unix ms."""
        return int((self._store_now(call) + self._settings.store_timeout_seconds) * 1000)

    def _readable(self, call: Call, ask: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
        """
        Return *reply*, or the next choice where this process cannot read the credential of the account.

        Such an account is left out of the next choices of this process, and no other.
        """
        pool = call.key.pool
        for _ in range(MAX_UNREADABLE):
            if "refused" in reply:
                break
            try:
                self._accounts.get(pool, reply["account"], reply["version"])
                break
            except CredentialUnreadable as error:
                log.warning(error.code, request_id=call.request_id, account=reply["account"])
            failed = {"attempt": reply["attempt"], "mark": {}, "unreadable": self._accounts.unreadable(pool)}
            reply = self._report(call, {**ask, **failed})
        return reply

    def _report(self, call: Call, ask: dict[str, Any]) -> dict[str, Any]:
        """Report an attempt by the calendar of now: its request may be older than a window."""
        calendar = self._calendar.windows(call.key.zone, self._store_now(call))
        return self._scripts.run_json("report", call.key.pool, ask | {"calendar": calendar})

    def _size(self, call: Call, price: Price | None, *, strict: bool) -> ModelSize:
        """Return how large the model is; where no strict limit counts, nothing has to be assumed."""
        settings = settings_from(call.key.settings)
        assumed = (settings.assumed_context_tokens, settings.assumed_output_tokens) if strict else ()
        return ModelSize.of(price, *assumed)

    def _store_now(self, call: Call) -> float:
        """Return what the store's clock shows, as far as we know: Unix seconds."""
        return call.key.now + time.monotonic() - call.key.looked_up_at

    def _ask(self, call: Call, bounds: Bounds, fit: Fit) -> dict[str, Any]:
        sticky_ms = settings_from(call.key.settings).affinity_minutes * 60_000
        unreadable = self._accounts.unreadable(call.key.pool)
        return {
            "id": call.request_id,
            "key": call.key.id,
            "model": call.model,
            "endpoint": call.endpoint,
            "wire": fit.wire[0] if fit.wire else "",
            "unfit_kinds": fit.unfit_kinds,
            "demo": self._demo,
            "affinity": call.affinity if sticky_ms else "",
            "pin": call.pin,
            "conversation": holding_of(call.conversation),
            "ownership": call.ownership,
            **({"kinds": call.kinds} if call.kinds else {}),
            "by_ms": self._given_up_at_ms(call),
            "ttl_ms": int(self._settings.lease_ttl_seconds * 1000),
            "sticky_ms": sticky_ms,
            "calendar": self._calendar.windows(call.key.zone, call.key.now),
            "bounds": bounds.most,
            **({"unenforced_bounds": bounds.unenforced} if bounds.unenforced != bounds.most else {}),
            "estimates": bounds.likely,
            **({"unreadable": unreadable} if unreadable else {}),
        }
