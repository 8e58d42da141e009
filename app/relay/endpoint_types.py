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
from app.relay.context import Call
from app.relay.model_attempt import Attempt
from app.relay.passthrough import CompactAttempt, PlainAttempt
from app.relay.timeouts import Patience
from app.translation.field_support import Fit, fit_of
from app.translation.resume import Resumed
from app.translation.upstream_request import upstream_body
from app.upstream.client import UpstreamClient

ANSWER_SECONDS = 180.0  # for an upstream that says nothing before its answer is whole

OneAttempt = Attempt | PlainAttempt
Begin = Callable[[Call, Account, Patience, UpstreamClient, Resumed | None], OneAttempt]


@dataclass(frozen=True, slots=True)
class Manner:
    fit: Callable[[Call], Fit]
    bounds: Callable[[Call, Price | None, ModelSize], Bounds]
    begin: Begin
    most_accounts: int | None = None  # that are asked in turn; None: as many as the tries last
    whole: bool = False  # whether upstreams answer all at once, after a long silence
    # what to say where no account could ever serve it, given the kinds that there are
    absent: Callable[[Call, Collection[str]], GatewayError | None] = lambda call, kinds: None

    def patient(self, limits: TimeLimits) -> TimeLimits:
        """Return *limits* as they are for such an answer."""
        if not self.whole:
            return limits
        longer = {name: max(ANSWER_SECONDS, getattr(limits, name)) for name in _SILENCES}
        return replace(limits, **longer)


_SILENCES = ("headers", "first_progress", "first_progress_reasoning", "idle", "idle_reasoning")


def _ask_model(
    call: Call, account: Account, patience: Patience, upstream: UpstreamClient, resumed: Resumed | None
) -> OneAttempt:
    body = (
        with_length(call.surface, call.body, account.kind, call.sent_length)
        if call.sent_length
        else call.body
    )
    prepared = upstream_body(call.surface, body, account.kind, account.wires)
    return Attempt(call, account, prepared, patience, upstream, resumed)


def _ask_plainly(
    call: Call, account: Account, patience: Patience, upstream: UpstreamClient, resumed: Resumed | None
) -> OneAttempt:
    return PlainAttempt(call, account, patience, upstream)


def _ask_to_compact(
    call: Call, account: Account, patience: Patience, upstream: UpstreamClient, resumed: Resumed | None
) -> OneAttempt:
    """The ChatGPT backend compacts where a trigger ends an ordinary request, the OpenAI API at an address."""
    if account.kind != "chatgpt":
        return CompactAttempt(
            replace(call, raw=write_json(call.body, call.body_bytes)), account, patience, upstream
        )
    body = {**call.body, "input": [*call.body["input"], {"type": "compaction_trigger"}]}
    asked = replace(call, surface="responses", body=body)
    return _ask_model(asked, account, patience, upstream, None)


UNFIT_TO_COMPACT = Fit(wire="responses", unfit_kinds=("compatible", "demo"))
UNFIT_TO_PASS_ON = Fit(unfit_kinds=("chatgpt", "demo"))


def _nobody_passes_on(call: Call, kinds: Collection[str]) -> GatewayError:
    if set(kinds) <= set(UNFIT_TO_PASS_ON.unfit_kinds):
        return NotSupported(f"No account of this pool offers {call.endpoint}")
    return ModelNotFound(f"No account of this pool offers the model '{call.model}'", param="model")


def _nobody_compacts(call: Call, kinds: Collection[str]) -> GatewayError:
    return NotSupported("No account of this pool compacts conversations; clients can do so themselves")


MODEL = Manner(
    fit=lambda call: fit_of(call.surface, call.body),
    bounds=lambda call, price, size: bounds_of(call.surface, call.body, call.body_bytes, price, size),
    begin=_ask_model,
)
COMPACT = Manner(
    fit=lambda call: UNFIT_TO_COMPACT,
    bounds=lambda call, price, size: bounds_of(call.surface, call.body, call.body_bytes, price, size),
    begin=_ask_to_compact,
    most_accounts=2,  # the work is long and dear: what two cannot do is told
    whole=True,
    absent=_nobody_compacts,
)
PLAIN = Manner(
    fit=lambda call: UNFIT_TO_PASS_ON,
    bounds=lambda call, price, size: plain_bounds_of(call.surface, call.body, call.body_bytes, price, size),
    begin=_ask_plainly,
    whole=True,
    absent=_nobody_passes_on,
)
MANNERS = {"chat": MODEL, "responses": MODEL, "responses/compact": COMPACT}


def manner_of(call: Call) -> Manner:
    """Return how *call* is put to accounts; what is not in the table passes through."""
    return MANNERS.get(call.surface, PLAIN)
