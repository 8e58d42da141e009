"""
One request from admission to settlement, over as many accounts as it takes.

The lease lives in the generator that `stream` returns: however it is closed, the request is settled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.kinds import kind_of
from app.accounts.known_models import KnownModels
from app.accounts.request_settings import NO_SETTINGS
from app.accounts.settings import settings_from
from app.accounts.token_refresh import TokenRefresher
from app.config import Settings, TimeLimits
from app.errors import UpstreamTimeout
from app.ledger.settlements import SettlementWriter
from app.limits.bounds import ModelSize
from app.limits.input_ratio import InputRatio
from app.limits.pool_prices import PoolPrices
from app.limits.prices import Price
from app.records import record
from app.relay.active_requests import ActiveRequests
from app.relay.adaptation import Adaptation
from app.relay.admission import Admission
from app.relay.admission_inputs import AdmissionServices, RequestPlan
from app.relay.attempt import Attempt, AttemptInputs
from app.relay.context import RequestContext
from app.relay.endpoint_types import endpoint_type_of
from app.relay.failover import Failover
from app.relay.failover_inputs import FailoverActions, FailoverPolicy
from app.relay.lost_replies import LostReplies
from app.relay.other_accounts import OtherAccounts
from app.relay.progress import RequestProgress, progress_of
from app.relay.request_record import RequestRecord, excluded_accounts
from app.relay.retry_budget import RetryBudgets
from app.relay.timeouts import AttemptDeadlines, shortened
from app.relay.timing import Timing
from app.stores.admissions import AdmissionRepository
from app.stores.calendar import Calendar
from app.stores.records.admission import Selection
from app.stores.records.ledger import UsageSource
from app.stores.records.limits import has_strict_output_limit
from app.stores.records.settlement import Settlement
from app.streaming.events import Event
from app.translation.resume.delivered import ResumedStream
from app.upstream.client import UpstreamClient


@dataclass(frozen=True, slots=True)
class RelayServices:
    """The services of the process that the relay uses."""

    admissions: AdmissionRepository
    accounts: AccountRepository
    known_models: KnownModels
    upstream: UpstreamClient
    active: ActiveRequests
    settlements: SettlementWriter
    prices: PoolPrices
    refresher: TokenRefresher
    lost_replies: LostReplies


@record
class _Exchange:
    """One request under way at one model."""

    context: RequestContext
    plan: RequestPlan
    record: RequestRecord
    progress: RequestProgress
    admission: Admission
    adaptation: Adaptation


class Relay:
    """Serves requests; `stream` is the one flow of all requests."""

    def __init__(
        self, settings: Settings, services: RelayServices, *, demo: bool = False, timing: Timing | None = None
    ) -> None:
        self._settings = settings
        self._services = services
        self._timing = timing = timing or Timing()
        self._clock = timing.monotonic
        self._input_ratio = InputRatio()
        self._other_accounts = OtherAccounts(services.accounts, timing.monotonic, demo=demo)
        self._retry_budgets = RetryBudgets(timing.monotonic)
        self._learn_usage = services.accounts.learn_unknown_usage
        self._admission_services = AdmissionServices(
            settings=settings,
            admissions=services.admissions,
            accounts=services.accounts,
            known_models=services.known_models,
            calendar=Calendar(),
            waiting=services.active.waiting,
            lost_replies=services.lost_replies,
            timing=timing,
            demo=demo,
        )

    def start_progress(self, context: RequestContext) -> RequestProgress:
        """Return the progress that all attempts of *context* and its fallbacks share; its time starts now."""
        return progress_of(context, self._clock(), self._time_limits(context).total)

    def stream(
        self, context: RequestContext, record: RequestRecord, progress: RequestProgress
    ) -> Iterator[list[Event] | None]:
        """
        Yield batches of the client's events as they arrive, and None when a keep-alive is due.

        *record* is filled on the way. Raises GatewayError; before the first batch it can still become
        an HTTP status. Raises CallerChanged before anything has happened.
        """
        if self._clock() >= progress.deadline:
            raise UpstreamTimeout("The request took longer than this gateway allows")
        plan = self._plan(context, record)
        started = self._clock()
        admission = Admission(
            self._admission_services, context, plan, is_caller_current=progress.is_caller_current
        )
        selection = yield from admission.admit(progress)
        record.admit(selection, admission.queued_ms)
        try:
            with self._services.active.track(context):
                if record.stored is not None:
                    record.first_ms = 0
                    yield record.stored
                else:
                    exchange = _Exchange(
                        context,
                        plan,
                        record,
                        progress,
                        admission,
                        Adaptation(context, self._services.accounts),
                    )
                    yield from self._failover(exchange).events(selection)
        except BaseException as error:
            record.fail(error)
            raise
        finally:
            settlement = record.settle(context, self._clock() - started, admission.calendar)
            self._learn_input_ratio(context, record, settlement)
            self._services.settlements.settle(context.caller.key.pool, settlement.arguments())

    def _plan(self, context: RequestContext, record: RequestRecord) -> RequestPlan:
        """Return what is derived from *context* before an account is selected, and note it in *record*."""
        endpoint_type = endpoint_type_of(context)
        record.price = price = self._services.prices.table(
            context.caller.key.pool, context.caller.key.prices
        ).find(context.request.model)
        is_strict = has_strict_output_limit(context.caller.key.limits)
        record.bounds = bounds = endpoint_type.bounds(
            context, price, _size(context, price, is_strict=is_strict)
        )
        record.input_ratio = self._input_ratio.ratio(context.request.model)
        return RequestPlan(
            endpoint_type,
            endpoint_type.requirements(context),
            price,
            bounds,
            is_strict,
            self._time_limits(context),
            record.stored is not None,
        )

    def _failover(self, exchange: _Exchange) -> Failover:
        context, plan, progress = exchange.context, exchange.plan, exchange.progress
        limits = plan.endpoint_type.time_limits(plan.time_limits)
        budget = self._retry_budgets.of(context.caller.key.pool)
        if not progress.attempts:
            budget.count_request(context.caller.key.id)
        actions = FailoverActions(
            begin=partial(self._begin_attempt, exchange, limits),
            report=exchange.admission.report,
            renew=partial(self._services.refresher.refresh_after_401, context.caller.key.pool),
            adapt=exchange.adaptation.adapt,
            leave_queue=exchange.admission.leave_queue,
        )
        policy = FailoverPolicy(
            budget, limits.keepalive, plan.endpoint_type.max_accounts, exchange.admission.longest_wait()
        )
        return Failover(context, exchange.record, progress, actions, policy, self._timing)

    def _begin_attempt(
        self, exchange: _Exchange, limits: TimeLimits, selection: Selection, resumed: ResumedStream | None
    ) -> Attempt:
        context, plan = exchange.context, exchange.plan
        account = self._services.accounts.get(
            context.caller.key.pool, selection.account_id, selection.version
        )
        is_bounded = plan.is_strict and not selection.may_exceed_length
        if account.settings is not NO_SETTINGS:
            limits = plan.endpoint_type.time_limits(account.settings.time_limits(plan.time_limits))
        own_limits = limits if resumed is None else shortened(limits)
        inputs = AttemptInputs(
            context,
            account,
            self._deadlines(exchange, account, own_limits),
            self._services.upstream,
            sent_length=plan.bounds.sent_length,
            max_output=plan.bounds.upper_bound.get("output_tokens") if is_bounded else None,
            resumed=resumed,
            lacks_foreign_state=exchange.adaptation.lacks_foreign_state,
            learn_usage=self._learn_usage,
        )
        return plan.endpoint_type.begin(inputs)

    def _deadlines(self, exchange: _Exchange, account: Account, limits: TimeLimits) -> AttemptDeadlines:
        context, progress, requirements = exchange.context, exchange.progress, exchange.plan.requirements
        attempts = exchange.record.attempts  # not the record: it refers to the attempt, so that is a cycle

        def has_alternative() -> bool:
            excluded = {account.id, *excluded_accounts(attempts)}
            return progress.fallbacks_left > 0 or self._other_accounts.could_serve(
                context, requirements, excluded
            )

        return AttemptDeadlines(
            limits,
            reasons=context.is_reasoning_requested,
            progress=progress,
            clock=self._clock,
            reading_seconds=kind_of(account).reading_seconds(
                exchange.plan.bounds.estimate.get("input_tokens", 0)
            ),
            response_seconds=account.settings.timeout_seconds,
            has_alternative=has_alternative,
        )

    def _learn_input_ratio(
        self, context: RequestContext, record: RequestRecord, settlement: Settlement
    ) -> None:
        if settlement.row["source"] != UsageSource.UPSTREAM:
            return
        usage = record.last.reader.reported_usage if record.last else None
        if usage is not None:
            estimate = record.bounds.estimate.get("input_tokens", 0)
            self._input_ratio.learn(context.request.model, estimate, usage.input_tokens)

    def _time_limits(self, context: RequestContext) -> TimeLimits:
        return settings_from(context.caller.key.settings).limits_for(
            context.request.model, self._settings.limits
        )


def _size(context: RequestContext, price: Price | None, *, is_strict: bool) -> ModelSize:
    """Return the size of the model; only a strict limit needs assumptions about an unknown one."""
    settings = settings_from(context.caller.key.settings)
    assumed = (settings.assumed_context_tokens, settings.assumed_output_tokens) if is_strict else ()
    return ModelSize.from_price(price, *assumed)
