"""
The model that a response names: what its caller requested, where that is not the model's own name.

`FallbackChain` decides about it, after failover and the response cache: these know the upstream's name alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import orjson

from app.streaming.events import Event, EventBatches

_MODEL = re.compile(rb'("model"\s*:\s*)"(?:[^"\\]|\\.)*"')  # inside a JSON text its quotes would be escaped
_OBJECT_BEGINS = b"{"


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
