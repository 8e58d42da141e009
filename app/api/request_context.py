"""From a validated body to a `Call`: what every model endpoint does before the relay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask import Request

from app.api.auth import caller
from app.api.context import noted, this_request
from app.api.headers import name_of, variable_of
from app.api.request_ids import new_request_id
from app.errors import InvalidRequest, ModelNotAllowed, NotFound
from app.limits.output_lengths import LENGTH_FIELDS
from app.relay.affinity import affinity_of, conversation_of, ownership_of
from app.relay.context import RequestContext
from app.translation.requests.content_checks import first_reference
from app.upstream.cancellation import Cancellation
from app.yielding import give_way
from schemas.bounds import MAX_TEXT_CHARS

_CODEX_HEADERS = frozenset(
    map(
        variable_of,
        ["session-id", "thread-id", "x-client-request-id", "originator", "version", "openai-beta"],
    )
)
STORED_ITEMS = ("responses", "responses/compact")  # surfaces whose input can point at stored items
ON_CUT = ("fail", "restart")
_CODEX_AGENTS = ("codex", "openai-codex")


class Target(NamedTuple):
    """The model that a name means, and who may serve it: see `Call`."""

    model: str
    kinds: str = ""
    pin: str = ""


def make_call(
    surface: str,
    body: dict[str, Any],
    body_bytes: int,
    *,
    target: Callable[[str], Target] = Target,
    **more: Any,
) -> RequestContext:
    """
    Return the call of a validated *body*, with those of its `fallbacks`, which no upstream is told.

    *target* reads the name of a model. Raises ModelNotAllowed when the key may not use one, NotFound for a
    reference to a stored item.
    """
    give_way(body_bytes)  # it has just been checked
    if surface in STORED_ITEMS:
        _refuse_references(body)
    request_id = new_request_id()
    asks, notes = this_request(), noted()
    notes.poolgate_request_id = request_id
    key, cancellation, headers = caller(), Cancellation(), _passing_headers(asks)
    on_cut = _on_cut(asks, key.on_cut)
    asked = body["model"]
    bare = {name: value for name, value in body.items() if name != "fallbacks"}
    lengths = LENGTH_FIELDS.get(surface, ()) if "raw" not in more else ()
    if key.output_tokens and lengths and not any(map(bare.get, lengths)):
        bare[lengths[0]] = key.output_tokens

    def call(name: str, number: int) -> RequestContext:
        model, kinds, pin = target(name)
        if not key.may_use(model):
            raise ModelNotAllowed(model)
        own = {**bare, "model": model}
        return RequestContext(
            request_id=f"{request_id}-{number}" if number else request_id,
            surface=surface,
            endpoint=asks.path.rstrip("/"),
            model=model,
            body=own,
            key=key,
            cancellation=cancellation,
            on_cut=on_cut,
            body_bytes=body_bytes,
            headers=headers,
            affinity=affinity_of(key.id, own, asks.headers, body_bytes),
            ownership=ownership_of(key.id, own),
            conversation=conversation_of(own),
            asked="" if asked == model else asked,
            kinds=kinds,
            pin=pin,
            trace=notes.scope.trace,
            **more,
        )

    first = call(asked, 0)
    first.fallbacks = tuple(call(name, n) for n, name in enumerate(body.get("fallbacks", ()), 1))
    return first


def chat_call(
    body: dict[str, Any], body_bytes: int, *, tells_usage: bool = False, **more: Any
) -> RequestContext:
    """
    Return the call of a chat *body*.

    A whole answer tells its usage always; a stream where it is asked to, or unless it is asked
    not to where *tells_usage*.
    """
    stream = body["stream"]
    asked = (body.get("stream_options") or {}).get("include_usage", tells_usage)
    return make_call("chat", body, body_bytes, stream=stream, include_usage=not stream or asked, **more)


def _refuse_references(body: Mapping[str, Any]) -> None:
    """
    Raise NotFound for an item that points at a stored one.

    No answer is stored for a key, so that what such an id names was stored by someone else at the account.
    Source: what the OpenAI API answers where `store` is false.
    """
    found = first_reference(body.get("input"))
    if found is not None:
        index, item_id = found
        raise NotFound(
            f"Item with id '{item_id[:MAX_TEXT_CHARS]}' not found: items are not stored",
            param=f"input[{index}].id",
        )


def _on_cut(asks: Request, default: str) -> str:
    wanted = asks.headers.get("x-poolgate-on-cut", default).strip().lower()
    if wanted not in ON_CUT:
        raise InvalidRequest(
            f"x-poolgate-on-cut must be one of {', '.join(ON_CUT)}", param="x-poolgate-on-cut"
        )
    return wanted


def _passing_headers(asks: Request) -> dict[str, str]:
    """The client's headers that mean something to a ChatGPT account; never cookies, never its key."""
    passing = {
        name_of(variable): value
        for variable, value in asks.environ.items()
        if variable in _CODEX_HEADERS or variable.startswith("HTTP_X_CODEX_")
    }
    agent = asks.headers.get("User-Agent", "")
    if agent.lower().startswith(_CODEX_AGENTS):
        passing["User-Agent"] = agent
    else:
        passing.pop("Originator", None)
    return passing
