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
from app.accounts.accounts import MAX_UNREADABLE, AccountRepository
from app.accounts.known_models import KnownModels
from app.accounts.settings import settings_from
from app.accounts.token_refresh import TokenRefresher
from app.config import Settings, TimeLimits
from app.errors import CredentialUnreadable, GatewayError, ModelNotFound, NotFound, UpstreamTimeout
from app.ledger.settlements import SettlementWriter
from app.limits.bounds import Bounds, ModelSize
from app.limits.input_ratio import InputRatio
from app.limits.price_overrides import PriceRepository
from app.limits.prices import Price
from app.relay.active_requests import ActiveRequests
from app.relay.affinity import holding_of
from app.relay.context import RequestContext
from app.relay.endpoint_types import AnyAttempt, EndpointType, endpoint_type_of
from app.relay.failover import Failover, paused
from app.relay.other_accounts import OtherAccounts
from app.relay.progress import RequestProgress, progress_of
from app.relay.refusals import admission_of, refusal
from app.relay.request_record import RequestRecord
from app.relay.retry_budget import RetryBudgets
from app.relay.timeouts import AttemptDeadlines, reading_seconds, shortened
from app.relay.waiting import wait_seconds
from app.stores.calendar import Calendar
from app.stores.records.limits import has_strict_output_limit
from app.stores.scripts import Scripts
from app.streaming.events import Event
from app.translation.requests.field_support import AccountRequirements
from app.translation.resume.delivered import ResumedStream
from app.upstream.client import UpstreamClient

log = structlog.get_logger()


class Relay:
    def __init__(
        self,
        settings: Settings,
        scripts: Scripts,
        accounts: AccountRepository,
        upstream: UpstreamClient,
        active: ActiveRequests,
        settlements: SettlementWriter,
        prices: PriceRepository,
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
        self._settlements = settlements
        self._prices = prices
        self._refresher = refresher
        self._demo = demo
        self._clock = clock
        self._chance = chance or random.Random()
        self._calendar = Calendar()
        self._calibration = InputRatio()
        self._waiting = active.waiting
        self._alternatives = OtherAccounts(accounts, clock, demo=demo)
        self._retry_budgets = RetryBudgets(clock)
        self._known_models = KnownModels(scripts.client, demo=demo)

    def progress(self, context: RequestContext) -> RequestProgress:
        """Return what the attempts of *call* and of its fallbacks will share, from now on."""
        return progress_of(context, self._clock(), self._limits(context).total)

    def stream(
        self, context: RequestContext, record: RequestRecord, progress: RequestProgress
    ) -> Iterator[list[Event] | None]:
        """
        Yield the client's events as they arrive together, and None as a tick in silence.

        *record* is filled on the way with what headers and books want to know. Raises
        GatewayError; before the first list it can still be an HTTP status.
        """
        if self._clock() >= progress.deadline:
            raise UpstreamTimeout("The request took longer than this gateway allows")
        endpoint_type = endpoint_type_of(context)
        fit = endpoint_type.fit(context)
        record.price = self._prices.table(context.key.pool, context.key.prices).find(context.model)
        strict = has_strict_output_limit(context.key.limits)
        record.bounds = endpoint_type.bounds(
            context, record.price, self._size(context, record.price, strict=strict)
        )
        context.sent_length = record.bounds.sent_length
        record.input_ratio = self._calibration.ratio(context.model)
        ask = self._ask(context, record.bounds, fit)
        if record.stored is not None:
            ask |= {"stored": True, "bounds": {}, "estimates": {}}
            ask.pop("unenforced_bounds", None)
        started = self._clock()
        choice = yield from self._admitted(context, ask, endpoint_type, fit, progress)
        record.admitted(choice)
        try:
            with self._active.entered(context):
                if record.stored is not None:
                    record.first_ms = 0
                    yield record.stored
                else:
                    choice = self._readable(context, ask | {"tried": [], "never": []}, choice)
                    if "refused" in choice:
                        raise self._refusal(context, endpoint_type, fit, choice)
                    record.account = choice["account"]
                    route = self._route(context, record, ask, endpoint_type, fit, progress, strict=strict)
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
            settlement = record.settlement(context, self._clock() - started)
            self._calibrate(context, record, settlement["row"])
            self._settlements.settle(
                context.key.pool,
                settlement
                | {
                    "calendar": ask["calendar"],
                    "ownership": context.ownership,
                    "conversation": ask["conversation"],
                },
            )

    def _calibrate(self, context: RequestContext, record: RequestRecord, row: dict[str, Any]) -> None:
        if row["source"] == "upstream":
            usage = record.last.reader.reported_usage if record.last else None
            if usage is not None:
                guessed = record.bounds.likely.get("input_tokens", 0)
                self._calibration.learn(context.model, guessed, usage.input_tokens)

    def _admitted(
        self,
        context: RequestContext,
        ask: dict[str, Any],
        endpoint_type: EndpointType,
        fit: AccountRequirements,
        progress: RequestProgress,
    ) -> Generator[None, None, dict[str, Any]]:
        """Return the choice of an account, after a short wait where one has room again within seconds."""
        while True:
            reply = self._admit(context, ask)
            if "refused" not in reply:
                return reply
            wait = None if self._waiting.full else wait_seconds(reply, progress, self._clock(), self._chance)
            if wait is None:
                raise self._refusal(context, endpoint_type, fit, reply)
            progress.waited_seconds += wait
            with self._waiting.entered(context):
                yield from paused(wait, context, progress, self._limits(context).keepalive, self._clock)
            ask["by_ms"] = self._given_up_at_ms(context)

    def _admit(self, context: RequestContext, ask: dict[str, Any]) -> dict[str, Any]:
        reply = self._scripts.run_json("admit", context.key.pool, ask)
        if reply.get("refused") == "calendar":  # our clock and the store's disagree about the day
            ask["calendar"] = self._calendar.windows(context.key.zone, reply["now"] / 1000)
            reply = self._scripts.run_json("admit", context.key.pool, ask)
        return reply

    def _refusal(
        self,
        context: RequestContext,
        endpoint_type: EndpointType,
        fit: AccountRequirements,
        reply: dict[str, Any],
    ) -> GatewayError:
        if reply["refused"] == "conversation":
            return NotFound(f"Conversation with id '{context.conversation}' not found.", param="conversation")
        error = self._nobody_ever(context, endpoint_type, reply) or self._unknown_model(context, reply)
        if error is None:
            return refusal(reply, native_field=fit.field)
        error.admission = admission_of(reply)
        return error

    def _unknown_model(self, context: RequestContext, reply: dict[str, Any]) -> GatewayError | None:
        """Return ModelNotFound where no account has the model: that comes before any limit."""
        if reply["refused"] != "limit" and (reply["refused"] != "no_accounts" or reply["offered"]):
            return None
        usable = (context.pin,) if context.pin else context.key.accounts
        if not self._known_models.lacks(context.key.pool, context.model, usable):
            return None
        return ModelNotFound(f"No account of this pool offers the model '{context.model}'", param="model")

    def _nobody_ever(
        self, context: RequestContext, endpoint_type: EndpointType, reply: dict[str, Any]
    ) -> GatewayError | None:
        """Return what to say where no account could serve *call*, however long one waited."""
        if reply["refused"] != "no_accounts" or reply["offered"]:
            return None
        return endpoint_type.absent(
            context, {account.kind for account in self._accounts.all(context.key.pool)}
        )

    def _limits(self, context: RequestContext) -> TimeLimits:
        return settings_from(context.key.settings).limits_for(context.model, self._settings.limits)

    def _route(
        self,
        context: RequestContext,
        record: RequestRecord,
        ask: dict[str, Any],
        endpoint_type: EndpointType,
        fit: AccountRequirements,
        progress: RequestProgress,
        *,
        strict: bool,
    ) -> Failover:
        limits = endpoint_type.patient(self._limits(context))
        budget = self._retry_budgets.of(context.key.pool)
        if not progress.attempts:
            budget.count_request(context.key.id)

        def begin(choice: dict[str, Any], resumed: ResumedStream | None) -> AnyAttempt:
            account = self._accounts.get(context.key.pool, choice["account"], choice["version"])
            bounded = strict and not choice.get("unenforced")
            context.max_output = record.bounds.most.get("output_tokens") if bounded else None
            own = limits if resumed is None else shortened(limits)
            deadlines = self._deadlines(context, fit, record, account, own, progress)
            return endpoint_type.begin(context, account, deadlines, self._upstream, resumed)

        return Failover(
            context,
            record,
            begin=begin,
            report=lambda told: self._readable(context, ask | told, self._report(context, ask | told)),
            renew=lambda account: self._refresher.refresh_after_401(context.key.pool, account),
            progress=progress,
            budget=budget,
            limits=limits,
            clock=self._clock,
            chance=self._chance,
            max_accounts=endpoint_type.max_accounts,
        )

    def _deadlines(
        self,
        context: RequestContext,
        fit: AccountRequirements,
        record: RequestRecord,
        account: Account,
        limits: TimeLimits,
        progress: RequestProgress,
    ) -> AttemptDeadlines:
        def has_alternative() -> bool:
            excluded = {account.id, *record.excluded_accounts()}
            return progress.fallbacks_left > 0 or self._alternatives.exist(context, fit, excluded)

        return AttemptDeadlines(
            limits,
            reasons=context.reasons,
            progress=progress,
            clock=self._clock,
            reading_seconds=reading_seconds(account.kind, record.bounds.likely.get("input_tokens", 0)),
            has_alternative=has_alternative,
        )

    def _given_up_at_ms(self, context: RequestContext) -> int:
        """Return until when the store may answer an admission that begins now, in its own Unix ms."""
        return int((self._store_now(context) + self._settings.store_timeout_seconds) * 1000)

    def _readable(
        self, context: RequestContext, ask: dict[str, Any], reply: dict[str, Any]
    ) -> dict[str, Any]:
        """
        Return *reply*, or the next choice where this process cannot read the credential of the account.

        Such an account is left out of the next choices of this process, and no other.
        """
        pool = context.key.pool
        for _ in range(MAX_UNREADABLE):
            if "refused" in reply:
                break
            try:
                self._accounts.get(pool, reply["account"], reply["version"])
                break
            except CredentialUnreadable as error:
                log.warning(error.code, request_id=context.request_id, account=reply["account"])
            failed = {"attempt": reply["attempt"], "mark": {}, "unreadable": self._accounts.unreadable(pool)}
            reply = self._report(context, {**ask, **failed})
        return reply

    def _report(self, context: RequestContext, ask: dict[str, Any]) -> dict[str, Any]:
        """Report an attempt by the calendar of now: its request may be older than a window."""
        calendar = self._calendar.windows(context.key.zone, self._store_now(context))
        return self._scripts.run_json("report", context.key.pool, ask | {"calendar": calendar})

    def _size(self, context: RequestContext, price: Price | None, *, strict: bool) -> ModelSize:
        """Return how large the model is; where no strict limit counts, nothing has to be assumed."""
        settings = settings_from(context.key.settings)
        assumed = (settings.assumed_context_tokens, settings.assumed_output_tokens) if strict else ()
        return ModelSize.of(price, *assumed)

    def _store_now(self, context: RequestContext) -> float:
        """Return what the store's clock shows, as far as we know: Unix seconds."""
        return context.key.now + time.monotonic() - context.key.looked_up_at

    def _ask(self, context: RequestContext, bounds: Bounds, fit: AccountRequirements) -> dict[str, Any]:
        sticky_ms = settings_from(context.key.settings).affinity_minutes * 60_000
        unreadable = self._accounts.unreadable(context.key.pool)
        return {
            "id": context.request_id,
            "key": context.key.id,
            "model": context.model,
            "endpoint": context.endpoint,
            "wire": fit.protocol[0] if fit.protocol else "",
            "unfit_kinds": fit.unfit_kinds,
            "demo": self._demo,
            "affinity": context.affinity if sticky_ms else "",
            "pin": context.pin,
            "conversation": holding_of(context.conversation),
            "ownership": context.ownership,
            **({"kinds": context.kinds} if context.kinds else {}),
            "by_ms": self._given_up_at_ms(context),
            "ttl_ms": int(self._settings.lease_ttl_seconds * 1000),
            "sticky_ms": sticky_ms,
            "calendar": self._calendar.windows(context.key.zone, context.key.now),
            "bounds": bounds.most,
            **({"unenforced_bounds": bounds.unenforced} if bounds.unenforced != bounds.most else {}),
            "estimates": bounds.likely,
            **({"unreadable": unreadable} if unreadable else {}),
        }
