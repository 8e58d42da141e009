"""
POST /openai/v1/chat/completions: `provider/model` names, fallbacks, and answers that say more.

Source: https://docs.getbifrost.ai (chat completions, OpenAI format)
"""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, request

from app.api.answer import Shape, answer
from app.api.auth import authenticate_anyhow, caller
from app.api.body import check_size, read_json
from app.api.cache_headers import caching_wish, name_ignored
from app.api.context import services
from app.api.request_context import Target, chat_call
from app.errors import InvalidRequest, NotFound
from app.formatting import MICRO_DOLLARS
from app.relay.context import RequestContext
from app.relay.fallbacks import FallbackChain
from app.streaming.events import Event
from app.streaming.usage import usage_from_chat
from app.translation.events.bifrost_chat import extend
from schemas.bifrost_chat import BIFROST_CHAT_REQUEST

bp = Blueprint("extended_chat", __name__)

# Whom the first part of a `provider/model` name means; else it is the name of an account.
PROVIDERS = {
    "openai": "openai chatgpt demo",
    "chatgpt": "chatgpt",
    "compatible": "compatible",
    "demo": "demo",
}
RAW_HEADERS = {"raw_request": "x-bf-send-back-raw-request", "raw_response": "x-bf-send-back-raw-response"}


@bp.before_request
def admit_caller() -> None:
    check_size(services().settings.max_body_bytes)
    authenticate_anyhow()


@bp.post("/v1/chat/completions", strict_slashes=False)
@bp.post("/chat/completions", strict_slashes=False)
def create() -> Response:
    payload, size = read_json(services().settings.max_body_bytes)
    body = BIFROST_CHAT_REQUEST.load(payload)
    raw = _raw_wish()
    call = chat_call(
        body,
        size,
        tells_usage=True,
        target=_target,
        caching=caching_wish(),
        include_reasoning=True,
        include_raw=bool(raw),
    )
    response = answer(call, Extended(raw))
    name_ignored(response)
    return response


def _target(name: str) -> Target:
    """
    Return what *name* means; where its first part names no account, it is the model's.

    An account that the key may not use does not exist for it.
    """
    provider, slash, model = name.partition("/")
    if not slash or not model:
        return Target(name)
    if provider in PROVIDERS:
        return Target(model, kinds=PROVIDERS[provider])
    try:
        (account,) = services().accounts.ids(caller().pool, (provider,))
    except NotFound:
        return Target(name)
    allowed = caller().accounts
    return Target(name) if allowed and account not in allowed else Target(model, pin=account)


def _provider(call: RequestContext, kind: str) -> str:
    """Return the provider that *call* named; where it named none, whose models an account of *kind* has."""
    named = call.asked.partition("/")[0] if call.kinds else ""
    return named or ("openai" if kind == "chatgpt" else kind)


def _raw_wish() -> tuple[str, ...]:
    """Return which of `raw_request` and `raw_response` the caller wants and may have."""
    wanted = tuple(
        name for name, header in RAW_HEADERS.items() if request.headers.get(header, "").lower() == "true"
    )
    if wanted and not caller().raw:
        header = RAW_HEADERS[wanted[0]]
        raise InvalidRequest(f"This API key may not ask for {wanted[0]} by {header}", param=header)
    return wanted


class Extended(Shape):
    """Adds what this endpoint tells beside the answer; a chunk's latency counts from the request."""

    def __init__(self, raw: tuple[str, ...]) -> None:
        self._raw = raw
        self._chunks = 0
        self._started = time.monotonic()

    def events(self, events: list[Event], answering: FallbackChain) -> list[Event]:
        return [Event(self._chunk(event.payload, answering)) for event in events]

    def whole(self, body: dict[str, Any], answering: FallbackChain) -> dict[str, Any]:
        return self._extended(body, answering, {"request_type": "chat_completion"})

    def _chunk(self, payload: dict[str, Any], answering: FallbackChain) -> dict[str, Any]:
        if "choices" not in payload:
            return payload
        index, self._chunks = self._chunks, self._chunks + 1
        told = {"request_type": "chat_completion_stream", "chunk_index": index}
        return self._extended(payload, answering, told)

    def _extended(
        self, payload: dict[str, Any], answering: FallbackChain, told: dict[str, Any]
    ) -> dict[str, Any]:
        call, record = answering.context, answering.record
        told |= {
            "model_requested": call.asked or call.model,
            "model_deployment": payload.get("model") or call.model,
            "latency": round((time.monotonic() - self._started) * 1000),
        }
        if attempt := record.last:
            told |= {
                "provider": _provider(call, attempt.account.kind),
                "account_kind": attempt.account.kind,
            }
            if "raw_request" in self._raw:
                told["raw_request"] = attempt.prepared.body
            if "raw_response" in self._raw:
                said, attempt.raw = attempt.raw, []
                told["raw_response"] = {"events": said}
        if record.cache_id:
            debug = {"cache_hit": record.cache_hit, "cache_id": record.cache_id}
            told["cache_debug"] = debug | ({"hit_type": "direct"} if record.cache_hit else {})
        return extend(payload, cost=_cost(payload, answering), extra_fields=told)


def _cost(payload: dict[str, Any], answering: FallbackChain) -> dict[str, float] | None:
    """Return US dollars by our price table, None where the model has no price."""
    usage, record = usage_from_chat(payload.get("usage")), answering.record
    if usage is None or (record.price is None and not record.cache_hit):
        return None
    into = out = 0
    if record.price is not None and not record.cache_hit:
        into, out = record.price.sides(usage, record.tier(answering.context))
    return {
        "input_tokens_cost": into / MICRO_DOLLARS,
        "output_tokens_cost": out / MICRO_DOLLARS,
        "request_cost": 0.0,  # nobody bills requests as such
        "total_cost": (into + out) / MICRO_DOLLARS,
    }
