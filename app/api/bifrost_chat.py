"""
POST /openai/v1/chat/completions for clients of Bifrost: `provider/model` names, fallbacks, extra fields.

Source: https://docs.getbifrost.ai (chat completions, OpenAI format)
"""

from __future__ import annotations

import time

from flask import Blueprint, Response, request

from app.accounts.kinds import KINDS_BY_PROVIDER, find_kind
from app.api.auth import authenticate_any, caller
from app.api.body import check_size, read_json
from app.api.cache_headers import read_caching, report_ignored
from app.api.context import services
from app.api.model_responses import ResponseTransform, respond
from app.api.request_context import ModelTarget, is_usage_included, make_context
from app.errors import InvalidRequest
from app.formatting import MICRO_DOLLARS
from app.relay.context import JsonObject, RequestContext, ResponseOptions
from app.relay.fallbacks import FallbackChain
from app.streaming.events import Event
from app.streaming.usage import usage_from_chat
from app.translation.events.bifrost_chat import extend
from schemas.bifrost_chat import BIFROST_CHAT_REQUEST

bp = Blueprint("extended_chat", __name__)

RAW_HEADERS = {"raw_request": "x-bf-send-back-raw-request", "raw_response": "x-bf-send-back-raw-response"}


@bp.before_request
def admit_caller() -> None:
    check_size(services().settings.max_body_bytes)
    authenticate_any(is_admitted=True)


@bp.post("/v1/chat/completions", strict_slashes=False)
@bp.post("/chat/completions", strict_slashes=False)
def create() -> Response:
    payload, size = read_json(services().settings.max_body_bytes)
    body = BIFROST_CHAT_REQUEST.load(payload)
    raw_fields = _raw_fields()
    options = ResponseOptions(
        stream=body["stream"],
        include_usage=is_usage_included(body, by_default=True),
        include_reasoning=True,
        include_raw=bool(raw_fields),
        caching=read_caching(),
    )
    context = make_context("chat", body, size, options, target=_target)
    response = respond(context, ExtraFields(raw_fields))
    report_ignored(response)
    return response


def _target(name: str) -> ModelTarget:
    """
    Return the target of *name*; a first part that names no provider or account belongs to the model's name.

    An account that the key may not use does not exist for it.
    """
    provider, slash, model = name.partition("/")
    if not slash or not model:
        return ModelTarget(name)
    if provider in KINDS_BY_PROVIDER:  # otherwise it may be the name of an account
        return ModelTarget(model, account_kinds=KINDS_BY_PROVIDER[provider])
    account_id = services().accounts.id_of(caller().pool, provider)
    if account_id is None or not caller().may_use_account(account_id):
        return ModelTarget(name)
    return ModelTarget(model, account_id=account_id)


def _provider(context: RequestContext, kind: str) -> str:
    """Return the provider that the request names, else the provider of the models of *kind*."""
    named = context.request.requested_model.partition("/")[0] if context.routing.account_kinds else ""
    return named or find_kind(kind).providers[0]


def _raw_fields() -> tuple[str, ...]:
    """Return which of `raw_request` and `raw_response` the caller requests and may receive."""
    requested = tuple(
        name for name, header in RAW_HEADERS.items() if request.headers.get(header, "").lower() == "true"
    )
    if requested and not caller().raw:
        header = RAW_HEADERS[requested[0]]
        raise InvalidRequest(f"This API key may not request {requested[0]} by {header}", param=header)
    return requested


class ExtraFields(ResponseTransform):
    """Adds `extra_fields` and the cost; the latency of a chunk is measured from the request."""

    def __init__(self, raw_fields: tuple[str, ...]) -> None:
        self._raw_fields = raw_fields
        self._chunks = 0
        self._started = time.monotonic()

    def events(self, events: list[Event], chain: FallbackChain) -> list[Event]:
        return [Event(self._chunk(event.payload, chain)) for event in events]

    def body(self, body: JsonObject, chain: FallbackChain) -> JsonObject:
        return self._extended(body, chain, {"request_type": "chat_completion"})

    def _chunk(self, payload: JsonObject, chain: FallbackChain) -> JsonObject:
        if "choices" not in payload:
            return payload
        index, self._chunks = self._chunks, self._chunks + 1
        fields = {"request_type": "chat_completion_stream", "chunk_index": index}
        return self._extended(payload, chain, fields)

    def _extended(self, payload: JsonObject, chain: FallbackChain, fields: JsonObject) -> JsonObject:
        served = chain.served_by()
        context, model = served.context, served.context.request.model
        fields |= {
            "model_requested": context.request.requested_model or model,
            "model_deployment": payload.get("model") or model,
            "latency": round((time.monotonic() - self._started) * 1000),
        }
        if served.account_kind:
            fields |= {
                "provider": _provider(context, served.account_kind),
                "account_kind": served.account_kind,
            }
            if "raw_request" in self._raw_fields:
                fields["raw_request"] = chain.upstream_body()
            if "raw_response" in self._raw_fields:
                fields["raw_response"] = {"events": chain.take_raw_events()}
        if (cache := chain.cache_use()).id:
            debug = {"cache_hit": cache.is_hit, "cache_id": cache.id}
            fields["cache_debug"] = debug | ({"hit_type": "direct"} if cache.is_hit else {})
        return extend(payload, cost=_cost(payload, chain), extra_fields=fields)


def _cost(payload: JsonObject, chain: FallbackChain) -> dict[str, float] | None:
    """Return the cost in US dollars by the price table, None if the model has no price."""
    usage, price, is_hit = usage_from_chat(payload.get("usage")), chain.price(), chain.cache_use().is_hit
    if usage is None or (price is None and not is_hit):
        return None
    input_cost = output_cost = 0
    if price is not None and not is_hit:
        input_cost, output_cost = price.split_cost(usage, chain.service_tier())
    return {
        "input_tokens_cost": input_cost / MICRO_DOLLARS,
        "output_tokens_cost": output_cost / MICRO_DOLLARS,
        "request_cost": 0.0,  # no upstream bills per request
        "total_cost": (input_cost + output_cost) / MICRO_DOLLARS,
    }
