"""
Names of models: those of callers and those of upstreams.

A response names what its caller requested. Where a model route led to another model, `FallbackChain` sets
that name, after failover and the response cache. Where an account has a name of its own for the model, each
attempt sets the name of the model, so that nothing after it knows the upstream's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import orjson

from app.accounts.request_settings import REQUESTED
from app.errors import UpstreamRejected
from app.relay.attempt import Attempt
from app.relay.attempt import EventBatches as RelayedBatches
from app.relay.content_types import EVENTS
from app.streaming.events import Event, EventBatches
from app.upstream.responses import essence_of

# Cannot match within a JSON string: its quotes are escaped
_MODEL = re.compile(rb'("model"\s*:\s*)"(?:[^"\\]|\\.)*"')
_OBJECT_BEGINS = b"{"
_NAME_CHAR = r"[\w./:@-]"  # next to it in a message, a name is a part of another word


def events_of(attempt: Attempt) -> RelayedBatches:
    """Yield the events of *attempt*, with the model name that callers use in place of its account's own."""
    name, settings = attempt.context.request.model, attempt.account.settings
    own_name = settings.model_names.get(name)
    if own_name is None:
        yield from attempt.events()
        return
    batches: Any = attempt.events()
    if settings.response_model == REQUESTED:
        batches = renamed(batches, name, lambda: essence_of(attempt.response.headers) == EVENTS)
    try:
        with closing(batches):
            yield from batches
    except UpstreamRejected as error:  # callers, and the rules for errors, know only this name
        pattern = f"(?<!{_NAME_CHAR}){re.escape(own_name)}(?!{_NAME_CHAR})"
        error.message = re.sub(pattern, lambda _: name, error.message)
        raise


def with_model_name(
    pieces: Sequence[bytes | bytearray], place: tuple[int, int], name: str
) -> tuple[list[bytes | bytearray], tuple[int, int]]:
    """Put *name* at *place* in the *pieces* of a form; return the pieces and the new place."""
    form, (start, end), encoded = pieces[0] if len(pieces) == 1 else b"".join(pieces), place, name.encode()
    return [form[:start], encoded, form[end:]], (start, start + len(encoded))


def renamed(batches: EventBatches, name: str, is_event_stream: Callable[[], bool]) -> Iterator[Any]:
    """
    Yield *batches* with *name* as the model of the response.

    Batches of a pass-through endpoint are pieces of its body: a JSON object, events, or something that
    names no model.
    """
    encoded, remaining = _encoded(name), b""
    with closing(batches):  # type: ignore[type-var]
        for batch in batches:
            if batch and isinstance(batch[0], bytes | bytearray):
                pieces: Any = batch
                if is_event_stream():
                    data, newline, rest = (remaining + b"".join(pieces)).rpartition(b"\n")
                    remaining = rest
                    yield [_MODEL.sub(encoded, data) + newline] if newline else None
                elif pieces[0][:64].lstrip()[:1] == _OBJECT_BEGINS:
                    yield [_MODEL.sub(encoded, b"".join(pieces), 1)]
                else:
                    yield batch
            else:
                yield [renamed_event(event, name) for event in batch] if batch else batch
            del batch  # not retained while more is waited for
    if remaining:
        yield [_MODEL.sub(encoded, remaining)]


def renamed_event(event: Event, name: str) -> Event:
    """Return *event* with *name* as its model, where it names one."""
    payload = event.payload
    response = payload.get("response")
    if isinstance(response, dict) and "model" in response:
        return type(event)({**payload, "response": {**response, "model": name}})
    return type(event)({**payload, "model": name}) if "model" in payload else event


def _encoded(name: str) -> Any:
    """Return what replaces a match of `_MODEL`."""
    value = orjson.dumps(name)
    return lambda match: match[1] + value
