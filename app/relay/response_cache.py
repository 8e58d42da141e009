"""
The response cache: stored responses to identical requests, where the caller opted in.

A stored response belongs to one API key. Only a complete one is stored, as its events, so that it can
be streamed again. Returning it is a request like any other, under limits on requests, which uses no
account, no tokens and no money.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress

import orjson

from app.errors import StoreUnavailable
from app.json_writing import write_json
from app.relay.context import Caching, RequestContext
from app.relay.request_record import RequestRecord
from app.stores.cached_responses import CachedResponseRepository
from app.streaming.events import Event, EventBatches
from app.yielding import give_way

MAX_BYTES = 1_048_576  # longest response that is stored
FORMAT_VERSION = 2  # a part of the digest, so responses in older formats are not found
DELIVERY = ("stream", "stream_options")  # fields about how a response is sent, not about its content


class ResponseCache:
    """Stored responses, looked up by a digest of the request."""

    def __init__(self, store: CachedResponseRepository) -> None:
        self._store = store

    def stream(
        self,
        context: RequestContext,
        caching: Caching,
        record: RequestRecord,
        fresh: Callable[[RequestContext, RequestRecord], EventBatches],
    ) -> EventBatches:
        """
        Yield what *fresh* yields, and store it if it is complete.

        If a response to *context* is stored, it is set in *record*, and *fresh* yields it.
        """
        digest = record.cache_id = digest_of(context, caching)
        if (stored := self._load(context, digest)) is not None:
            record.stored, record.ignored = stored
            yield from fresh(context, record)
            return
        delivered: list[Event] = []
        for events in fresh(context, record):
            delivered += events or ()
            yield events
        if caching.may_store:
            text = orjson.dumps({"events": [event.payload for event in delivered], "ignored": record.ignored})
            self._save(context, caching, digest, text)

    def _load(self, context: RequestContext, digest: str) -> tuple[list[Event], list[str]] | None:
        """Return the events of the stored response and its ignored fields, None where there is none."""
        with suppress(StoreUnavailable):
            text = self._store.get(context.caller.key.pool, digest)
            if text:
                stored = orjson.loads(text)
                return [Event(payload) for payload in stored["events"]], stored["ignored"]
        return None

    def _save(self, context: RequestContext, caching: Caching, digest: str, text: bytes) -> None:
        if len(text) <= MAX_BYTES:
            key = context.caller.key
            with suppress(StoreUnavailable):
                self._store.put(key.pool, key.id, digest, text.decode(), caching.seconds)


def digest_of(context: RequestContext, caching: Caching) -> str:
    """Return a digest of the content, constraints, API key and cache key of *context*."""
    content = {name: value for name, value in context.request.body.items() if name not in DELIVERY}
    identity = [
        FORMAT_VERSION,
        context.caller.key.id,
        caching.key,
        context.request.client_protocol,
        " ".join(context.routing.account_kinds),
        context.routing.account_id,
        context.options.include_usage,
        content,
        *context.routing.accounts,
    ]
    digest = hashlib.blake2b(digest_size=16)
    for piece in write_json(identity, context.request.body_bytes, sort_keys=True):
        digest.update(piece)
        give_way(len(piece))
    return digest.hexdigest()
