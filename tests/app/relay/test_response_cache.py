"""Stored responses are returned only to identical requests of the same key, if complete, and at no cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.errors import StoreUnavailable, StreamIncomplete
from app.relay.context import Caching, RequestContext
from app.relay.request_record import RequestRecord
from app.relay.response_cache import MAX_BYTES, ResponseCache, digest_of
from app.stores.cached_responses import CachedResponseRepository
from app.stores.records.api_keys import ApiKey
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.streaming.events import Event
from tests.support.relay import make_request

CACHING = Caching("c", 60.0)
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


OPTIONS = ("client_protocol", "account_kinds", "account_id", "include_usage")


def context(key: str = "k1", caching: Caching = CACHING, **change: Any) -> RequestContext:
    fields = {name: change.pop(name) for name in OPTIONS if name in change}
    api_key = ApiKey(key, key, "p", now=0.0)
    return make_request(body={**BODY, **change}, key=api_key, caching=caching, **fields)


def digest(context: RequestContext) -> str:
    return digest_of(context, caching_of(context))


def caching_of(context: RequestContext) -> Caching:
    assert context.options.caching is not None
    return context.options.caching


class Upstream:
    """Replaces the relay: yields a new response each time, which may break off, or the stored one."""

    def __init__(self) -> None:
        self.calls = 0
        self.breaks = False
        self.text = "Answer"

    def __call__(self, context: RequestContext, record: RequestRecord) -> Iterator[list[Event] | None]:
        if record.stored is not None:
            yield record.stored
            return
        self.calls += 1
        yield [Event({"text": f"{self.text} {self.calls}"})]
        yield None
        if self.breaks:
            raise StreamIncomplete("cut")
        yield [Event({"finish": "stop"})]


@pytest.fixture
def cache(redis_client: Any) -> ResponseCache:
    return ResponseCache(
        CachedResponseRepository(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))
    )


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def stream(
    cache: ResponseCache, context: RequestContext, upstream: Upstream
) -> tuple[list[dict[str, Any]], RequestRecord]:
    record = RequestRecord()
    ticks = list(cache.stream(context, caching_of(context), record, upstream))
    return [event.payload for events in ticks for event in events or ()], record


class TestGivenAgain:
    def test_the_same_events_at_no_cost(self, cache: ResponseCache, upstream: Upstream) -> None:
        first, missed = stream(cache, context(), upstream)
        second, hit = stream(cache, context(), upstream)

        assert first == second == [{"text": "Answer 1"}, {"finish": "stop"}]
        assert (upstream.calls, missed.cache_hit, hit.cache_hit) == (1, False, True)
        assert missed.cache_id == hit.cache_id == digest(context())
        row = hit.settle(context(), 0.0, {}).row
        assert (row["source"], row["cost"]) == ("cache", 0)

    def test_what_was_without_effect_still_is(self, cache: ResponseCache) -> None:
        def upstream(context: RequestContext, record: RequestRecord) -> Iterator[list[Event] | None]:
            record.ignored = ["seed"]
            yield record.stored or [Event({"text": "Answer"})]

        records = [RequestRecord(), RequestRecord()]
        for record in records:
            list(cache.stream(context(seed=1), CACHING, record, upstream))

        assert [record.ignored for record in records] == [["seed"], ["seed"]]

    @pytest.mark.parametrize(
        "other",
        [
            context("k2"),
            context(caching=Caching("d", 60.0)),
            context(temperature=1),
            context(model="n"),
            context(client_protocol="responses"),
            context(account_kinds=("demo",)),
            context(account_id="a"),
            context(include_usage=True),
        ],
    )
    def test_not_to_another_question(
        self, cache: ResponseCache, upstream: Upstream, other: RequestContext
    ) -> None:
        stream(cache, context(), upstream)

        assert stream(cache, other, upstream)[0][0] == {"text": "Answer 2"}

    @pytest.mark.parametrize("delivery", [{"stream": True}, {"stream_options": {"include_usage": True}}])
    def test_however_it_is_delivered(self, delivery: dict[str, Any]) -> None:
        assert digest(context(**delivery)) == digest(context())

    def test_the_order_of_fields_does_not_matter(self) -> None:
        assert digest(context(a={"b": 1, "c": 2})) == digest(context(a={"c": 2, "b": 1}))


class TestNotStored:
    def test_a_broken_response(self, cache: ResponseCache, upstream: Upstream) -> None:
        upstream.breaks = True
        with pytest.raises(StreamIncomplete):
            stream(cache, context(), upstream)
        upstream.breaks = False

        assert stream(cache, context(), upstream)[0][0] == {"text": "Answer 2"}

    def test_one_whose_client_left(self, cache: ResponseCache, upstream: Upstream) -> None:
        ticks: Any = cache.stream(context(), CACHING, RequestRecord(), upstream)
        next(ticks)
        ticks.close()

        assert stream(cache, context(), upstream)[0][0] == {"text": "Answer 2"}

    def test_where_caching_is_not_requested(self, cache: ResponseCache, upstream: Upstream) -> None:
        stream(cache, context(caching=Caching("c", 60.0, may_store=False)), upstream)
        stream(cache, context(), upstream)

        reader = context(caching=Caching("c", 60.0, may_store=False))
        assert stream(cache, reader, upstream)[0][0] == {"text": "Answer 2"}

    def test_one_that_is_too_long(self, cache: ResponseCache, upstream: Upstream) -> None:
        upstream.text = "x" * MAX_BYTES
        stream(cache, context(), upstream)
        upstream.text = "Answer"

        assert stream(cache, context(), upstream)[0][0] == {"text": "Answer 2"}


class TestWithoutAStore:
    def test_responses_are_returned_and_not_stored(
        self, redis_client: Any, cache: ResponseCache, upstream: Upstream
    ) -> None:
        class Away:
            def get(self, *_: Any) -> None:
                raise StoreUnavailable("away")

            put = get

        away = ResponseCache(Away())  # type: ignore[arg-type]

        assert [stream(away, context(), upstream)[0][0]["text"] for _ in range(2)] == ["Answer 1", "Answer 2"]
