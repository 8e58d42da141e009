"""One validated request of a client, as the relay processes it. All records are immutable."""

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
    """The response cache options of a request: a stored response to an identical request may be returned."""

    key: str  # chosen by the caller: responses under different keys are separate
    seconds: float
    may_store: bool = True  # False: a stored response is returned, but none is added


@record
class Caller:
    """Who sent the request, and the state of the connection that it arrived on."""

    key: ApiKey
    cancellation: Cancellation
    headers: Mapping[str, str] = field(default_factory=dict)  # the client's headers that may be forwarded
    trace: Trace | None = None  # None: tracing is off
    queue_seconds: float | None = None  # maximum wait for an account; None: that of its key


@record
class ModelRequest:
    """What is requested, of which model, in which protocol."""

    client_protocol: str  # "chat", "responses", "responses/compact", or the path of a pass-through endpoint
    endpoint: str  # the path of the route, as the ledger records it
    model: str
    body: JsonObject
    body_bytes: int = 0  # size of the body as received; an upper bound of its tokens
    requested_model: str = ""  # the name that the client sent, where it differs from `model`
    raw_body: Sequence[bytes | bytearray] = ()  # the pieces of a body that is forwarded untranslated
    content_type: str = "application/json"  # of `raw_body`
    dropped: tuple[str, ...] = ()  # fields left out for every account: see `disguised_fields`
    files: tuple[ImageFile, ...] = ()  # images in `raw_body`, for accounts without the Images API
    model_place: tuple[int, int] | None = None  # start and end of the model's name in the form `raw_body`
    response_model: str = ""  # model name for the response; empty: as the upstream reports it


@record
class RoutingConstraints:
    """Which accounts may serve the request."""

    account_kinds: tuple[str, ...] = ()  # empty: all
    accounts: tuple[str, ...] = ()  # ids of the accounts that a model route names; empty: all
    account_id: str = ""  # id of the only account that may serve it; empty: any
    ownership: str = ""  # fingerprint of state that only one account has: that account must serve it
    conversation: str = ""  # id of the conversation that it continues, which only one API key may do
    affinity: str = ""  # fingerprint of the conversation, for prompt caches


ANY_ACCOUNT = RoutingConstraints()
NO_ACCOUNT = ("",)  # allows no account: no account has an empty id


@record
class ResponseOptions:
    """How the client receives the response."""

    stream: bool = True  # False: one object, so failover is possible until its end
    on_stream_error: CutPolicy = CutPolicy.FAIL
    include_usage: bool = False  # chat: whether a chunk with the usage is sent
    include_reasoning: bool = False  # chat: whether the reasoning of a Responses upstream is sent
    include_raw: bool = False  # whether the upstream's request and events are returned too
    keep_codex_events: bool = False
    caching: Caching | None = None


STREAM = ResponseOptions()


@record
class RequestContext:
    """One request to one model, and the same request to its fallback models."""

    request_id: str  # generated and unique; the client's x-request-id is only echoed
    caller: Caller
    request: ModelRequest
    routing: RoutingConstraints = ANY_ACCOUNT
    options: ResponseOptions = STREAM
    fallbacks: Sequence[RequestContext] = ()

    def with_fallbacks(self, fallbacks: Sequence[RequestContext]) -> RequestContext:
        """Return this request with *fallbacks*, which are tried in their order."""
        return RequestContext(
            self.request_id, self.caller, self.request, self.routing, self.options, fallbacks
        )

    @property
    def allowed_accounts(self) -> tuple[str, ...]:
        """The ids of the accounts that may serve the request; empty: all, NO_ACCOUNT: none."""
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
