"""
What differs between endpoints: which accounts are eligible, the bounds, and the kind of attempt.

Selection, failover, reporting and settlement are the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from app.accounts.kinds import KINDS, RESTRICTED_KINDS, kind_of, names_where
from app.accounts.kinds.kind import Compaction
from app.config import TimeLimits
from app.errors import GatewayError, InvalidRequest, ModelNotFound, NotSupported
from app.json_writing import write_json
from app.limits.bounds import (
    Bounds,
    ModelSize,
    compute_bounds,
    compute_image_bounds,
    compute_passthrough_bounds,
)
from app.limits.output_lengths import with_length
from app.limits.prices import Price
from app.relay.adaptation import adapted_request
from app.relay.attempt import Attempt, AttemptInputs
from app.relay.context import RequestContext
from app.relay.images_attempt import ImagesAttempt
from app.relay.passthrough import PassthroughAttempt, completed_response_event
from app.relay.unstreamed_attempt import begin_model_attempt
from app.translation.requests.account_requirements import AccountRequirements, account_requirements
from app.translation.requests.images_to_responses import uncarried_field
from app.translation.requests.upstream_request import upstream_body

UNSTREAMED_SECONDS = 180.0  # limit for upstreams that send nothing until the response is complete
_SILENCES = ("headers", "first_progress", "first_progress_reasoning", "idle", "idle_reasoning")


def _never_unserved(context: RequestContext, kinds: Collection[str]) -> GatewayError | None:
    return None


@dataclass(frozen=True, slots=True)
class EndpointType:
    """The functions and limits that differ by endpoint."""

    requirements: Callable[[RequestContext], AccountRequirements]
    bounds: Callable[[RequestContext, Price | None, ModelSize], Bounds]
    begin: Callable[[AttemptInputs], Attempt]
    max_accounts: int | None = None  # how many accounts are tried; None: as many as the attempts allow
    is_unstreamed: bool = False  # whether upstreams send the response at once after a long silence
    # Returns the error where no account of the kinds that the pool has could ever serve the request.
    unserved: Callable[[RequestContext, Collection[str]], GatewayError | None] = _never_unserved

    def time_limits(self, limits: TimeLimits) -> TimeLimits:
        """Return *limits*, longer where the response arrives all at once."""
        if not self.is_unstreamed:
            return limits
        longer = {name: max(UNSTREAMED_SECONDS, getattr(limits, name)) for name in _SILENCES}
        return replace(limits, **longer)


def _model_requirements(context: RequestContext) -> AccountRequirements:
    return account_requirements(context.request.client_protocol, context.request.body, RESTRICTED_KINDS)


def _bound_model(context: RequestContext, price: Price | None, size: ModelSize) -> Bounds:
    request = context.request
    return compute_bounds(request.client_protocol, request.body, request.body_bytes, price, size)


def _begin_model_attempt(inputs: AttemptInputs) -> Attempt:
    context, account = inputs.context, inputs.account
    protocol, body, kind = context.request.client_protocol, context.request.body, kind_of(account)
    if inputs.sent_length and kind.takes_length:
        body = with_length(protocol, body, inputs.sent_length, kind.length_fields.get(protocol))
    request = upstream_body(protocol, body, kind.dialect, account.protocols)
    request = adapted_request(request, context, account, lacks_foreign_state=inputs.lacks_foreign_state)
    return begin_model_attempt(inputs, request)


def _compaction_requirements(context: RequestContext) -> AccountRequirements:
    return COMPACTION_REQUIREMENTS


def _begin_compaction(inputs: AttemptInputs) -> Attempt:
    """Begin a compaction: at the ChatGPT backend by a trigger in a request, else at its endpoint."""
    context = inputs.context
    body, size = context.request.body, context.request.body_bytes
    if kind_of(inputs.account).compaction is not Compaction.TRIGGER:
        request = replace(context.request, raw_body=write_json(body, size))
        inputs = replace(inputs, context=replace(context, request=request))
        return PassthroughAttempt(inputs, completed_response_event)
    body = {**body, "input": [*body["input"], {"type": "compaction_trigger"}]}
    request = replace(context.request, client_protocol="responses", body=body)
    inputs = replace(inputs, context=replace(context, request=request), resumed=None)
    return _begin_model_attempt(inputs)


def _compaction_unserved(context: RequestContext, kinds: Collection[str]) -> GatewayError:
    return NotSupported("No account of this pool compacts conversations; clients can do so themselves")


def _passthrough_requirements(context: RequestContext) -> AccountRequirements:
    return PASSTHROUGH_REQUIREMENTS


def _bound_passthrough(context: RequestContext, price: Price | None, size: ModelSize) -> Bounds:
    request = context.request
    return compute_passthrough_bounds(request.client_protocol, request.body, request.body_bytes, price, size)


def _begin_passthrough(inputs: AttemptInputs) -> Attempt:
    return PassthroughAttempt(inputs)


def _passthrough_unserved(context: RequestContext, kinds: Collection[str]) -> GatewayError:
    if set(kinds) <= set(PASSTHROUGH_REQUIREMENTS.ineligible_kinds):
        return NotSupported(f"No account of this pool offers {context.request.endpoint}")
    return ModelNotFound(f"No account of this pool offers the model '{context.request.model}'", param="model")


def _images_requirements(context: RequestContext) -> AccountRequirements:
    """Require accounts that pass the request through, or whose image tool takes all its fields."""
    model, field = context.request.model, uncarried_field(context.request.body)
    having = [name for name, tool in IMAGE_TOOLS.items() if tool.has(model)]
    fit = () if field else having
    ineligible = tuple(name for name in PASSTHROUGH_REQUIREMENTS.ineligible_kinds if name not in fit)
    return AccountRequirements(
        field if having else None, ineligible_kinds=ineligible, unlisted_kinds=tuple(fit)
    )


def _bound_images(context: RequestContext, price: Price | None, size: ModelSize) -> Bounds:
    request = context.request
    tool_output = max(tool.max_output for tool in IMAGE_TOOLS.values())
    return compute_image_bounds(
        request.client_protocol, request.body, request.body_bytes, price, size, tool_output=tool_output
    )


def _begin_images(inputs: AttemptInputs) -> Attempt:
    tool = kind_of(inputs.account).image_tool
    return PassthroughAttempt(inputs) if tool is None else ImagesAttempt(inputs, tool)


def _images_unserved(context: RequestContext, kinds: Collection[str]) -> GatewayError:
    requirements = _images_requirements(context)
    if requirements.field:
        return InvalidRequest(
            f"No account of this pool can honour '{requirements.field}'", param=requirements.field
        )
    if set(kinds) <= set(requirements.ineligible_kinds) and not set(kinds) & IMAGE_TOOLS.keys():
        return NotSupported(f"No account of this pool offers {context.request.endpoint}")
    return ModelNotFound(f"No account of this pool offers the model '{context.request.model}'", param="model")


COMPACTION_REQUIREMENTS = AccountRequirements(
    protocol="responses", ineligible_kinds=names_where(lambda kind: kind.compaction is None)
)
IMAGE_TOOLS = {name: kind.image_tool for name, kind in KINDS.items() if kind.image_tool is not None}
PASSTHROUGH_REQUIREMENTS = AccountRequirements(
    ineligible_kinds=names_where(lambda kind: not kind.passes_through)
)

MODEL = EndpointType(requirements=_model_requirements, bounds=_bound_model, begin=_begin_model_attempt)
COMPACTION = EndpointType(
    requirements=_compaction_requirements,
    bounds=_bound_model,
    begin=_begin_compaction,
    max_accounts=2,  # a compaction is long and expensive: after two accounts the error is returned
    is_unstreamed=True,
    unserved=_compaction_unserved,
)
PASSTHROUGH = EndpointType(
    requirements=_passthrough_requirements,
    bounds=_bound_passthrough,
    begin=_begin_passthrough,
    is_unstreamed=True,
    unserved=_passthrough_unserved,
)
IMAGES = EndpointType(
    requirements=_images_requirements,
    bounds=_bound_images,
    begin=_begin_images,
    is_unstreamed=True,
    unserved=_images_unserved,
)
ENDPOINT_TYPES = {
    "chat": MODEL,
    "responses": MODEL,
    "responses/compact": COMPACTION,
    "images/generations": IMAGES,
    "images/edits": IMAGES,
}


def endpoint_type_of(context: RequestContext) -> EndpointType:
    """Return the endpoint type of *context*; endpoints that are not in the table are passed through."""
    return ENDPOINT_TYPES.get(context.request.client_protocol, PASSTHROUGH)
