"""
Answers given again to exactly the same request, where its caller asked for that.

An answer belongs to one API key. Only a whole one is kept, as the events that it came in, so
that it can be streamed again. Giving it again is a request like any other, under limits on
requests, which uses no account, no tokens and no money.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress

import orjson

from app.errors import StoreUnavailable
from app.json_writing import write_json
from app.relay.context import RequestContext
from app.relay.request_record import RequestRecord
from app.stores.answers import AnswerStore
from app.streaming.events import Event
from app.yielding import give_way

Ticks = Iterator[list[Event] | None]

MAX_BYTES = 1_048_576  # of one answer; a longer one is not kept
FORM = 2  # of what is kept: answers of another one are not found
DELIVERY = ("stream", "stream_options")  # how an answer comes, not what it says


class ResponseCache:
    def __init__(self, store: AnswerStore) -> None:
        self._store = store

    def stream(
        self,
        context: RequestContext,
        record: RequestRecord,
        fresh: Callable[[RequestContext, RequestRecord], Ticks],
    ) -> Ticks:
        """
        Yield what *fresh* yields, and store it. Where an earlier answer to *call* is stored, *record* has it
        for *fresh* to yield.
        """
        assert context.caching is not None
        digest = record.cache_id = digest_of(context)
        if (kept := self._kept(context, digest)) is not None:
            record.stored, record.ignored = kept
            yield from fresh(context, record)
            return
        given: list[Event] = []
        for events in fresh(context, record):
            given += events or ()
            yield events
        if context.caching.keeps:
            self._keep(context, digest, given, record.ignored)

    def _kept(self, context: RequestContext, digest: str) -> tuple[list[Event], list[str]] | None:
        """Return (the events, what of the request was without effect), None where nothing is kept."""
        with suppress(StoreUnavailable):
            text = self._store.get(context.key.pool, digest)
            if text:
                kept = orjson.loads(text)
                return [Event(payload) for payload in kept["events"]], kept["ignored"]
        return None

    def _keep(self, context: RequestContext, digest: str, events: list[Event], ignored: list[str]) -> None:
        assert context.caching is not None
        text = orjson.dumps({"events": [event.payload for event in events], "ignored": ignored})
        if len(text) <= MAX_BYTES:
            with suppress(StoreUnavailable):
                self._store.put(
                    context.key.pool, context.key.id, digest, text.decode(), context.caching.seconds
                )


def digest_of(context: RequestContext) -> str:
    """Return the name of the answers to *call*: what was asked, of whom, by whom, and under which key."""
    assert context.caching is not None
    asked = {name: value for name, value in context.body.items() if name not in DELIVERY}
    whole = [
        FORM,
        context.key.id,
        context.caching.key,
        context.surface,
        context.kinds,
        context.pin,
        context.include_usage,
        asked,
    ]
    digest = hashlib.blake2b(digest_size=16)
    for piece in write_json(whole, context.body_bytes, sort_keys=True):
        digest.update(piece)
        give_way(len(piece))
    return digest.hexdigest()
