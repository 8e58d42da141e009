"""The fields of the log line `request_ended`, and the refusal log's entry of an admission that failed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from app.errors import GatewayError
from app.relay.context import RequestContext
from app.stores.records.refusals import RefusedRequest

Fields = dict[str, Any]
CLIENT_LEFT = 499
# Statuses that are not in the refusal log: unknown callers and clients that left
UNRECORDED = frozenset([401, CLIENT_LEFT])


def model_fields(context: RequestContext | None, model: str) -> Fields:
    """
    Return the model of a request, and the name that it requested if a model route changed that.

    Without a *context*, that is *model*, '' if its body was not read.
    """
    if context is None:
        return {"model": model} if model else {}
    requested = context.request.requested_model
    return {"model": context.request.model, **({"asked": requested} if requested else {})}


def row_fields(row: Mapping[str, Any], account_name: str) -> Fields:
    """Return the fields of a ledger *row*, {} for an empty one; its status becomes `outcome`."""
    if not row:
        return {}
    fields = {**row, "outcome": row["status"], "attempts": len(row["attempts"])}
    fields["poolgate_request_id"] = fields.pop("id")
    return fields | ({"account_name": account_name} if account_name else {})


def refusal_fields(error: GatewayError) -> Fields:
    """Return how long a request that was not admitted because of *error* waited, if it did, and the code."""
    waited = error.admission.get("queued_ms")
    return {"code": error.code or "error", **({"queued_ms": waited} if waited else {})}


def refusal_of(context: RequestContext, error: GatewayError) -> RefusedRequest | None:
    """Return the refusal log's entry of a request that was not admitted because of *error*, if it has one."""
    if error.status in UNRECORDED:
        return None
    key = context.caller.key
    return RefusedRequest(
        id=context.request_id,
        at_ms=round(time.time() * 1000),
        model=context.request.model,
        endpoint=context.request.endpoint,
        status=error.status,
        code=error.code or "error",
        message=error.message,
        param=error.param,
        requested_model=context.request.requested_model,
        pool=key.pool,
        key=key.id,
        team=key.team,
        attribution=key.attribution,
        admission=error.admission,
    )
