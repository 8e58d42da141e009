"""One validated request of a client, as the relay works on it. Nothing in it changes once it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.records import record
from app.stores.records.api_keys import ApiKey, CutPolicy
from app.tracing import Trace
from app.translation.requests.images_to_responses import ImageFile
from app.translation.requests.reasoning_and_format import reasoning_settings
from app.upstream.cancellation import Cancellation

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caching:
    """A caller's request to receive a stored response to an identical request."""

    key: str  # the caller's own: responses under different ones are separate
    seconds: float
    may_store: bool = True  # false: a stored response is returned, but none is added


@record
class Caller:
    """Who sent the request, and what lasts as long as the connection."""

    key: ApiKey
    cancellation: Cancellation
    headers: Mapping[str, str] = field(default_factory=dict)  # of the client's, those that may be forwarded
    trace: Trace | None = None  # None: tracing is off
    queue_seconds: float | None = None  # how long the request is to wait at most; None: as its key allows


@record
class ModelRequest:
    """What is requested, of which model, in which protocol."""

    client_protocol: str  # "chat", "responses", "responses/compact", or the path of a pass-through endpoint
    endpoint: str  # the route, for the ledger
    model: str
    body: JsonObject
    body_bytes: int = 0  # size of the body as received: no token has fewer than one byte
    requested_model: str = ""  # the name that the client sent, where that is not `model`
    raw_body: Sequence[bytes | bytearray] = ()  # pieces of a body that is forwarded untranslated
    content_type: str = "application/json"  # of `raw_body`
    dropped: tuple[str, ...] = ()  # fields that were left out for any account: see `disguised_fields`
    files: tuple[ImageFile, ...] = ()  # in `raw_body`, of an endpoint that accounts may serve translated
    model_place: tuple[int, int] | None = None  # of the model's name in `raw_body`, where that is a form
    response_model: str = ""  # the name that responses carry; empty: as the upstream reports it


@record
class RoutingConstraints:
    """Which accounts may serve the request."""

    account_kinds: tuple[str, ...] = ()  # empty: all
    accounts: tuple[str, ...] = ()  # ids of those that a model route names; empty: all
    account_id: str = ""  # the only account that may serve it; empty: any
    ownership: str = ""  # fingerprint of state that one account owns: only that account may serve it
    conversation: str = ""  # id of the stored conversation that it continues: only its key may
    affinity: str = ""  # fingerprint of the conversation, for prompt caches


ANY_ACCOUNT = RoutingConstraints()
NO_ACCOUNT = ("",)  # the id of none


@record
class ResponseOptions:
    """How the client receives the response."""

    stream: bool = True  # false: one object, so any account may still answer until its end
    on_stream_error: CutPolicy = CutPolicy.FAIL
    include_usage: bool = False  # chat: the usage chunk
    include_reasoning: bool = False  # chat: reasoning of accounts that speak Responses
    include_raw: bool = False  # the request that the upstream received, or its response
    keep_codex_events: bool = False
    caching: Caching | None = None


STREAM = ResponseOptions()


@record
class RequestContext:
    """One request to one model, and the same request to its fallback models."""

    request_id: str  # ours, unique; the client's x-request-id is only echoed
    caller: Caller
    request: ModelRequest
    routing: RoutingConstraints = ANY_ACCOUNT
    options: ResponseOptions = STREAM
    fallbacks: Sequence[RequestContext] = ()

    def with_fallbacks(self, fallbacks: Sequence[RequestContext]) -> RequestContext:
        """Return it with *fallbacks*, which are tried in their order."""
        return RequestContext(
            self.request_id, self.caller, self.request, self.routing, self.options, fallbacks
        )

    @property
    def allowed_accounts(self) -> tuple[str, ...]:
        """The ids of the accounts that may serve it; empty: all, ("",): none."""
        routing, own = self.routing, self.caller.key.accounts
        if routing.account_id:
            return (routing.account_id,)
        if not routing.accounts or not own:
            return routing.accounts or own
        return tuple(account for account in routing.accounts if account in own) or NO_ACCOUNT

    @property
    def is_reasoning_requested(self) -> bool:
        """Whether the model is to reason before it answers, which takes longer."""
        return reasoning_settings(self.request.body).get("effort") not in (None, "none")
