"""
How a call is put to accounts, by what it is: one table.

A manner says which accounts are fit, what the request may use, and how one account is asked.
Choosing, repeating, reporting and settling are the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from app.accounts.account import Account
from app.config import TimeLimits
from app.errors import GatewayError, ModelNotFound, NotSupported
from app.json_writing import write_json
from app.limits.bounds import Bounds, ModelSize, bounds_of, plain_bounds_of
from app.limits.output_lengths import with_length
from app.limits.prices import Price
from app.relay.context import RequestContext
from app.relay.model_attempt import ModelAttempt
from app.relay.passthrough import CompactAttempt, PassthroughAttempt
from app.relay.timeouts import AttemptDeadlines
from app.translation.requests.field_support import AccountRequirements, account_requirements
from app.translation.requests.upstream_request import upstream_body
from app.translation.resume.delivered import ResumedStream
from app.upstream.client import UpstreamClient

ANSWER_SECONDS = 180.0  # for an upstream that says nothing before its answer is whole

AnyAttempt = ModelAttempt | PassthroughAttempt
Begin = Callable[
    [RequestContext, Account, AttemptDeadlines, UpstreamClient, ResumedStream | None], AnyAttempt
]


@dataclass(frozen=True, slots=True)
class EndpointType:
    fit: Callable[[RequestContext], AccountRequirements]
    bounds: Callable[[RequestContext, Price | None, ModelSize], Bounds]
    begin: Begin
    max_accounts: int | None = None  # that are asked in turn; None: as many as the tries last
    whole: bool = False  # whether upstreams answer all at once, after a long silence
    # what to say where no account could ever serve it, given the kinds that there are
    absent: Callable[[RequestContext, Collection[str]], GatewayError | None] = lambda context, kinds: None

    def patient(self, limits: TimeLimits) -> TimeLimits:
        """Return *limits* as they are for such an answer."""
        if not self.whole:
            return limits
        longer = {name: max(ANSWER_SECONDS, getattr(limits, name)) for name in _SILENCES}
        return replace(limits, **longer)


_SILENCES = ("headers", "first_progress", "first_progress_reasoning", "idle", "idle_reasoning")


def _ask_model(
    context: RequestContext,
    account: Account,
    deadlines: AttemptDeadlines,
    upstream: UpstreamClient,
    resumed: ResumedStream | None,
) -> AnyAttempt:
    body = (
        with_length(context.surface, context.body, account.kind, context.sent_length)
        if context.sent_length
        else context.body
    )
    prepared = upstream_body(context.surface, body, account.kind, account.wires)
    return ModelAttempt(context, account, prepared, deadlines, upstream, resumed)


def _ask_plainly(
    context: RequestContext,
    account: Account,
    deadlines: AttemptDeadlines,
    upstream: UpstreamClient,
    resumed: ResumedStream | None,
) -> AnyAttempt:
    return PassthroughAttempt(context, account, deadlines, upstream)


def _ask_to_compact(
    context: RequestContext,
    account: Account,
    deadlines: AttemptDeadlines,
    upstream: UpstreamClient,
    resumed: ResumedStream | None,
) -> AnyAttempt:
    """The ChatGPT backend compacts where a trigger ends an ordinary request, the OpenAI API at an address."""
    if account.kind != "chatgpt":
        return CompactAttempt(
            replace(context, raw=write_json(context.body, context.body_bytes)), account, deadlines, upstream
        )
    body = {**context.body, "input": [*context.body["input"], {"type": "compaction_trigger"}]}
    asked = replace(context, surface="responses", body=body)
    return _ask_model(asked, account, deadlines, upstream, None)


UNFIT_TO_COMPACT = AccountRequirements(protocol="responses", unfit_kinds=("compatible", "demo"))
UNFIT_TO_PASS_ON = AccountRequirements(unfit_kinds=("chatgpt", "demo"))


def _nobody_passes_on(context: RequestContext, kinds: Collection[str]) -> GatewayError:
    if set(kinds) <= set(UNFIT_TO_PASS_ON.unfit_kinds):
        return NotSupported(f"No account of this pool offers {context.endpoint}")
    return ModelNotFound(f"No account of this pool offers the model '{context.model}'", param="model")


def _nobody_compacts(context: RequestContext, kinds: Collection[str]) -> GatewayError:
    return NotSupported("No account of this pool compacts conversations; clients can do so themselves")


MODEL = EndpointType(
    fit=lambda context: account_requirements(context.surface, context.body),
    bounds=lambda context, price, size: bounds_of(
        context.surface, context.body, context.body_bytes, price, size
    ),
    begin=_ask_model,
)
COMPACT = EndpointType(
    fit=lambda context: UNFIT_TO_COMPACT,
    bounds=lambda context, price, size: bounds_of(
        context.surface, context.body, context.body_bytes, price, size
    ),
    begin=_ask_to_compact,
    max_accounts=2,  # the work is long and dear: what two cannot do is told
    whole=True,
    absent=_nobody_compacts,
)
PLAIN = EndpointType(
    fit=lambda context: UNFIT_TO_PASS_ON,
    bounds=lambda context, price, size: plain_bounds_of(
        context.surface, context.body, context.body_bytes, price, size
    ),
    begin=_ask_plainly,
    whole=True,
    absent=_nobody_passes_on,
)
ENDPOINT_TYPES = {"chat": MODEL, "responses": MODEL, "responses/compact": COMPACT}


def endpoint_type_of(context: RequestContext) -> EndpointType:
    """Return how *call* is put to accounts; what is not in the table passes through."""
    return ENDPOINT_TYPES.get(context.surface, PLAIN)
