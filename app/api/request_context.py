"""From a validated body to a `RequestContext`: what every model endpoint does before the relay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from flask import Request

from app.accounts.model_routes import NO_ROUTES, RouteTable, is_weighted, targets_of
from app.api.auth import caller
from app.api.context import current_request, request_globals, services
from app.api.headers import name_of, variable_of
from app.api.request_ids import new_request_id
from app.errors import InvalidRequest, ModelNotAllowed, NotFound
from app.json_writing import write_json
from app.limits.disguised_fields import nameable, without_disguised
from app.limits.output_lengths import LENGTH_FIELDS
from app.relay.affinity import affinity_of, conversation_of, ownership_of
from app.relay.context import (
    Caller,
    JsonObject,
    ModelRequest,
    RequestContext,
    ResponseOptions,
    RoutingConstraints,
)
from app.relay.model_names import with_model_name
from app.relay.route_fields import with_route_fields
from app.stores.records.api_keys import CutPolicy
from app.stores.records.model_routes import ModelRoute, RouteTarget
from app.stores.records.versions import NONE_SET
from app.translation.requests.content_checks import first_reference
from app.translation.requests.images_to_responses import ImageFile
from app.upstream.cancellation import Cancellation
from app.yielding import give_way
from schemas.bounds import MAX_ROUTE_ATTEMPTS, MAX_TEXT_CHARS, POOL_NUMBERS, number

_CODEX_HEADERS = frozenset(
    map(
        variable_of,
        ["session-id", "thread-id", "x-client-request-id", "originator", "version", "openai-beta"],
    )
)
_CODEX_PREFIX = "HTTP_X_CODEX_"
_PREFIX_CHARS = len(_CODEX_PREFIX)
_CODEX_AGENTS = ("codex", "openai-codex")
STORED_ITEM_PROTOCOLS = ("responses", "responses/compact")  # protocols whose input can refer to stored items
ON_STREAM_ERROR = "x-poolgate-on-cut"
QUEUE_SECONDS = "x-poolgate-queue-seconds"
_QUEUE_SECONDS_VARIABLE = variable_of(QUEUE_SECONDS)
MAX_QUEUE_SECONDS = POOL_NUMBERS["queue_seconds"][1]


class ModelTarget(NamedTuple):
    """The model that a name means, and the accounts that may serve it: see `RoutingConstraints`."""

    model: str
    account_kinds: tuple[str, ...] = ()
    account_id: str = ""
    accounts: tuple[str, ...] = ()


class RawBody(NamedTuple):
    """A body that is forwarded untranslated, without the fields *dropped*."""

    pieces: Sequence[bytes | bytearray]
    content_type: str
    dropped: tuple[str, ...] = ()
    files: tuple[ImageFile, ...] = ()
    model_place: tuple[int, int] | None = None  # start and end of the model's name in a form

    def for_model(self, body: JsonObject) -> RawBody:
        """Return this body with the content of *body*; in a form only the model is replaced."""
        if self.model_place is None:
            return self._replace(pieces=write_json(body, sum(map(len, self.pieces))))
        pieces, place = with_model_name(self.pieces, self.model_place, body["model"])
        return self._replace(pieces=pieces, model_place=place)


NO_RAW_BODY = RawBody((), "application/json")


def make_context(
    client_protocol: str,
    body: JsonObject,
    body_bytes: int,
    options: ResponseOptions,
    *,
    target: Callable[[str], ModelTarget] = ModelTarget,
    raw: RawBody | None = None,
    lost: Iterable[str] = (),
) -> RequestContext:
    """
    Return the context of a validated *body*, with those of its `fallbacks`, which no upstream receives.

    *lost* names the fields of the client's body that are no longer in *body*.

    *target* resolves the name of a model that is no model route. Raises ModelNotAllowed when the key may not
    use a model, NotFound for a reference to a stored item, InvalidRequest for a wrong header.
    """
    give_way(body_bytes)  # validating a large body has blocked the other greenlets
    if client_protocol in STORED_ITEM_PROTOCOLS:
        _refuse_references(body)
    body, raw_body = _without_disguised(client_protocol, body) if raw is None else (body, raw)
    if lost:
        raw_body = raw_body._replace(dropped=(*raw_body.dropped, *nameable(lost)))
    contexts = _ContextBuilder(client_protocol, body, body_bytes, options, raw_body, is_raw=raw is not None)
    key = contexts.key
    names = body.get("fallbacks") or ()
    if key.routes == NONE_SET and not names:
        return contexts.of_model(target(body["model"]), 0)
    table = NO_ROUTES if key.routes == NONE_SET else services().routes.table(key.pool, key.routes)
    return contexts.by_routes((body["model"], *names), table, target)


class _LazyContexts(Sequence[RequestContext]):
    """Requests to other models. Each is made when it is needed, because most never are."""

    __slots__ = ("_makers",)

    def __init__(self, makers: Sequence[Callable[[], RequestContext]]) -> None:
        self._makers = makers

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, number: Any) -> Any:
        return self._makers[number]()


class _ContextBuilder:
    """Makes the contexts of a client's request, one for each model that may answer."""

    __slots__ = (
        *("_body", "_body_bytes", "_endpoint", "_headers", "_is_raw", "_options", "_protocol"),
        *("_raw_body", "_request_id", "_sender", "_shared", "key"),
    )

    def __init__(
        self,
        client_protocol: str,
        body: JsonObject,
        body_bytes: int,
        options: ResponseOptions,
        raw_body: RawBody,
        *,
        is_raw: bool,
    ) -> None:
        """*is_raw* is whether the body is forwarded as it was received."""
        request, state = current_request(), request_globals()
        self.key = key = caller()
        policy = _stream_error_policy(request, key.on_cut)
        if policy != options.on_stream_error:
            options = replace(options, on_stream_error=policy)
        self._protocol = client_protocol
        self._body = body
        self._body_bytes = body_bytes
        self._options = options
        self._raw_body = raw_body
        self._is_raw = is_raw
        self._request_id: str = new_request_id()
        state.poolgate_request_id = self._request_id
        state.scope.model = body["model"]
        self._headers = request.headers
        self._endpoint = request.path.rstrip("/")
        self._sender = Caller(
            key, Cancellation(), _forwarded_headers(request), state.scope.trace, _queue_seconds(request)
        )
        self._shared = _shared_body(body, client_protocol, 0 if is_raw else key.output_tokens)

    def of_model(self, chosen: ModelTarget, number: int) -> RequestContext:
        """Return the request to a model that is named without a model route. Raises ModelNotAllowed."""
        self._check(chosen.model)
        return self._context(chosen, {**self._shared, "model": chosen.model}, number, self._raw_body)

    def _check(self, model: str) -> None:
        if not self.key.may_use(model):
            raise ModelNotAllowed(model)

    def by_routes(
        self, names: Iterable[str], table: RouteTable, target: Callable[[str], ModelTarget]
    ) -> RequestContext:
        """Return the request to the first target of *names*; the others are its fallbacks, in order."""
        makers: list[Callable[[], RequestContext]] = []
        for name in names:
            number = len(makers)
            if route := table.find(name):
                of_route = self._of_route(route, name, number)
                makers += islice(of_route, max(0, MAX_ROUTE_ATTEMPTS - number))
            else:
                chosen = target(name)
                self._check(chosen.model)
                makers.append(partial(self.of_model, chosen, number))
        first = makers[0]()
        return first.with_fallbacks(_LazyContexts(makers[1:])) if len(makers) > 1 else first

    def _of_route(self, route: ModelRoute, name: str, number: int) -> Iterator[Callable[[], RequestContext]]:
        """Yield functions that make the requests to the targets of *route*, in the order of their tries."""
        key = self.key
        if not key.may_use(name) and not key.may_use(route.name):
            raise ModelNotAllowed(name)
        conversation = self._request_id
        if not self._is_raw and is_weighted(route):
            conversation = self._affinity({**self._shared, "model": name})
        own = with_route_fields(self._protocol, self._body, route.defaults, route.overrides)
        own = _shared_body(own, self._protocol, 0 if self._is_raw else key.output_tokens)
        for place, chosen in enumerate(targets_of(route, conversation), number):
            yield partial(self._of_target, chosen, own, place, name)

    def _of_target(self, chosen: RouteTarget, own: JsonObject, number: int, name: str) -> RequestContext:
        own = {**own, "model": chosen.model}
        raw_body = self._raw_body.for_model(own) if self._is_raw else self._raw_body
        return self._context(ModelTarget(chosen.model, accounts=chosen.accounts), own, number, raw_body, name)

    def _context(
        self, chosen: ModelTarget, own: JsonObject, number: int, raw_body: RawBody, response_model: str = ""
    ) -> RequestContext:
        model, account_kinds, account_id, accounts = chosen
        requested, key = self._body["model"], self.key
        renamed = "" if requested == model else requested
        # Upstreams cache nothing of a body that is forwarded as received.
        affinity = "" if self._is_raw else self._affinity(own)
        owner, conversation = ownership_of(key.id, own), conversation_of(own)
        return RequestContext(
            f"{self._request_id}-{number}" if number else self._request_id,
            self._sender,
            ModelRequest(
                self._protocol,
                self._endpoint,
                model,
                own,
                self._body_bytes,
                renamed,
                *raw_body,
                response_model,
            ),
            RoutingConstraints(account_kinds, accounts, account_id, owner, conversation, affinity),
            self._options,
        )

    def _affinity(self, body: JsonObject) -> str:
        return affinity_of(self.key.id, body, self._headers, self._body_bytes)


def _without_disguised(client_protocol: str, body: JsonObject) -> tuple[JsonObject, RawBody]:
    """Return *body* without disguised fields, and a raw body that names them."""
    body, dropped = without_disguised(client_protocol, body)
    return body, NO_RAW_BODY._replace(dropped=dropped) if dropped else NO_RAW_BODY


def _shared_body(body: JsonObject, client_protocol: str, output_tokens: int) -> JsonObject:
    """Return the fields that bodies for all models share; *output_tokens* is the length if none is set."""
    shared = {name: value for name, value in body.items() if name != "fallbacks"}
    lengths = LENGTH_FIELDS.get(client_protocol, ())
    if output_tokens and lengths and not any(map(shared.get, lengths)):
        shared[lengths[0]] = output_tokens
    return shared


def is_usage_included(body: JsonObject, *, by_default: bool = False) -> bool:
    """
    Return whether the response to a chat *body* includes usage.

    An object always does; a stream where the client requests it, or, *by_default*, unless it declines.
    """
    included: bool = (body.get("stream_options") or {}).get("include_usage", by_default)
    return not body["stream"] or included


def _refuse_references(body: Mapping[str, Any]) -> None:
    """
    Raise NotFound for an item that refers to a stored one, InvalidRequest for one that names none.

    Responses are not stored for API keys, so such an id can only belong to another caller's item.
    Source: what the OpenAI API answers where `store` is false.
    """
    reference = first_reference(body.get("input"))
    if reference is not None:
        index, item_id = reference
        if not item_id:
            raise InvalidRequest(
                "an item reference needs the 'id' of an item, as text", param=f"input[{index}].id"
            )
        raise NotFound(
            f"Item with id '{item_id[:MAX_TEXT_CHARS]}' not found: items are not stored",
            param=f"input[{index}].id",
        )


def _stream_error_policy(request: Request, default: CutPolicy) -> CutPolicy:
    policy = request.headers.get(ON_STREAM_ERROR)
    if policy is None:
        return default
    try:
        return CutPolicy(policy.strip().lower())
    except ValueError:
        raise InvalidRequest(
            f"{ON_STREAM_ERROR} must be one of {', '.join(CutPolicy)}", param=ON_STREAM_ERROR
        ) from None


def _queue_seconds(request: Request) -> float | None:
    """Return the longest wait for an account that the request sets; None: that of its key."""
    text = request.environ.get(_QUEUE_SECONDS_VARIABLE)
    if text is None:
        return None
    seconds = number(text.strip())
    if seconds is None or seconds > MAX_QUEUE_SECONDS:
        raise InvalidRequest(
            f"{QUEUE_SECONDS} must be a number of seconds from 0 to {MAX_QUEUE_SECONDS}", param=QUEUE_SECONDS
        )
    return seconds


def _forwarded_headers(request: Request) -> dict[str, str]:
    """Return the client's headers that a ChatGPT account understands; never cookies or the API key."""
    headers = {
        name_of(variable): value
        for variable, value in request.environ.items()
        if variable in _CODEX_HEADERS or variable[:_PREFIX_CHARS] == _CODEX_PREFIX
    }
    agent = request.headers.get("User-Agent", "")
    if agent.lower().startswith(_CODEX_AGENTS):
        headers["User-Agent"] = agent
    else:
        headers.pop("Originator", None)
    return headers
