"""The error of a request that was not admitted: why no account serves it, or which limit refused it."""

from __future__ import annotations

from app.errors import GatewayError, ModelNotFound, NotFound
from app.relay.admission_inputs import AdmissionServices, RequestPlan
from app.relay.context import RequestContext
from app.relay.refusals import RequestFacts, admission_of, refusal_error
from app.stores.records.admission import Refusal, RefusalKind


def admission_error(
    refusal: Refusal, context: RequestContext, plan: RequestPlan, services: AdmissionServices
) -> GatewayError:
    """Return the error that the client receives for *refusal*, with what the refusal log stores."""
    if refusal.kind is RefusalKind.CONVERSATION:
        conversation = context.routing.conversation
        return NotFound(f"Conversation with id '{conversation}' not found.", param="conversation")
    error = _unserved_error(refusal, context, plan, services) or _unknown_model_error(
        refusal, context, plan, services
    )
    if error is None:
        return refusal_error(refusal, _facts(context, plan))
    error.admission = admission_of(refusal)
    return error


def _facts(context: RequestContext, plan: RequestPlan) -> RequestFacts:
    unpriced = context.request.model if plan.price is None else ""
    return RequestFacts(plan.requirements.field, plan.bounds.referring, unpriced, context.caller.key.pool)


def _unserved_error(
    refusal: Refusal, context: RequestContext, plan: RequestPlan, services: AdmissionServices
) -> GatewayError | None:
    """Return the error where no account could ever serve the request."""
    if not _is_unoffered(refusal):
        return None
    kinds = {account.kind for account in services.accounts.all(context.caller.key.pool)}
    return plan.endpoint_type.unserved(context, kinds)


def _unknown_model_error(
    refusal: Refusal, context: RequestContext, plan: RequestPlan, services: AdmissionServices
) -> GatewayError | None:
    """Return ModelNotFound where no account has the model: it takes precedence over a limit."""
    if refusal.kind is not RefusalKind.LIMIT and not _is_unoffered(refusal):
        return None
    model = context.request.model
    if not services.known_models.lacks(
        context.caller.key.pool, model, context.allowed_accounts, plan.requirements.unlisted_kinds
    ):
        return None
    return ModelNotFound(f"No account of this pool offers the model '{model}'", param="model")


def _is_unoffered(refusal: Refusal) -> bool:
    return refusal.accounts is not None and not refusal.accounts.is_offered
