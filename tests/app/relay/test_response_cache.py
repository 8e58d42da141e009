"""Answers given again: to the same question of the same key, whole ones only, and for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.errors import StoreUnavailable, StreamIncomplete
from app.limits.api_keys import ApiKey
from app.relay.context import Caching, Call
from app.relay.request_record import Record
from app.relay.response_cache import MOST_BYTES, AnswerCache, digest_of
from app.stores.answers import AnswerStore
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from app.streaming.events import Event
from app.upstream.cancellation import Cancellation

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def call(key: str = "k1", caching: Caching | None = None, **change: Any) -> Call:
    more = {name: change.pop(name) for name in ("surface", "kinds", "pin", "include_usage") if name in change}
    return Call(
        **{
            "request_id": "req_1",
            "surface": "chat",
            "endpoint": "/openai/v1/chat/completions",
            "model": "m",
            "body": {**BODY, **change},
            "key": ApiKey(key, key, "p", now=0.0),
            "cancellation": Cancellation(),
            "caching": caching or Caching("c", 60.0),
            **more,
        }
    )


class Upstream:
    """Stands for the relay: a fresh answer each time, which may break off, or the one that is stored."""

    def __init__(self) -> None:
        self.asked = 0
        self.breaks = False
        self.text = "Answer"

    def __call__(self, call: Call, record: Record) -> Iterator[list[Event] | None]:
        if record.stored is not None:
            yield record.stored
            return
        self.asked += 1
        yield [Event({"text": f"{self.text} {self.asked}"})]
        yield None
        if self.breaks:
            raise StreamIncomplete("cut")
        yield [Event({"finish": "stop"})]


@pytest.fixture
def cache(redis_client: Any) -> AnswerCache:
    return AnswerCache(AnswerStore(Scripts(redis_client), Vault((Fernet.generate_key().decode(),))))


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def told(cache: AnswerCache, call: Call, upstream: Upstream) -> tuple[list[dict[str, Any]], Record]:
    record = Record()
    ticks = list(cache.stream(call, record, upstream))
    return [event.payload for events in ticks for event in events or ()], record


class TestGivenAgain:
    def test_the_same_events_for_nothing(self, cache: AnswerCache, upstream: Upstream) -> None:
        first, missed = told(cache, call(), upstream)
        second, hit = told(cache, call(), upstream)

        assert first == second == [{"text": "Answer 1"}, {"finish": "stop"}]
        assert (upstream.asked, missed.cache_hit, hit.cache_hit) == (1, False, True)
        assert missed.cache_id == hit.cache_id == digest_of(call())
        row = hit.settlement(call(), 0.0)["row"]
        assert (row["source"], row["cost"]) == ("cache", 0)

    def test_what_was_without_effect_still_is(self, cache: AnswerCache) -> None:
        def upstream(call: Call, record: Record) -> Iterator[list[Event] | None]:
            record.ignored = ["seed"]
            yield record.stored or [Event({"text": "Answer"})]

        records = [Record(), Record()]
        for record in records:
            list(cache.stream(call(seed=1), record, upstream))

        assert [record.ignored for record in records] == [["seed"], ["seed"]]

    @pytest.mark.parametrize(
        "other",
        [
            call("k2"),
            call(caching=Caching("d", 60.0)),
            call(temperature=1),
            call(model="n"),
            call(surface="responses"),
            call(kinds="demo"),
            call(pin="a"),
            call(include_usage=True),
        ],
    )
    def test_not_to_another_question(self, cache: AnswerCache, upstream: Upstream, other: Call) -> None:
        told(cache, call(), upstream)

        assert told(cache, other, upstream)[0][0] == {"text": "Answer 2"}

    @pytest.mark.parametrize("delivery", [{"stream": True}, {"stream_options": {"include_usage": True}}])
    def test_however_it_is_delivered(self, delivery: dict[str, Any]) -> None:
        assert digest_of(call(**delivery)) == digest_of(call())

    def test_the_order_of_fields_is_nothing(self) -> None:
        assert digest_of(call(a={"b": 1, "c": 2})) == digest_of(call(a={"c": 2, "b": 1}))


class TestNotKept:
    def test_a_broken_answer(self, cache: AnswerCache, upstream: Upstream) -> None:
        upstream.breaks = True
        with pytest.raises(StreamIncomplete):
            told(cache, call(), upstream)
        upstream.breaks = False

        assert told(cache, call(), upstream)[0][0] == {"text": "Answer 2"}

    def test_one_whose_client_left(self, cache: AnswerCache, upstream: Upstream) -> None:
        ticks: Any = cache.stream(call(), Record(), upstream)
        next(ticks)
        ticks.close()

        assert told(cache, call(), upstream)[0][0] == {"text": "Answer 2"}

    def test_where_nobody_wants_it_kept(self, cache: AnswerCache, upstream: Upstream) -> None:
        told(cache, call(caching=Caching("c", 60.0, keeps=False)), upstream)
        told(cache, call(), upstream)

        reader = call(caching=Caching("c", 60.0, keeps=False))
        assert told(cache, reader, upstream)[0][0] == {"text": "Answer 2"}

    def test_one_that_is_too_long(self, cache: AnswerCache, upstream: Upstream) -> None:
        upstream.text = "x" * MOST_BYTES
        told(cache, call(), upstream)
        upstream.text = "Answer"

        assert told(cache, call(), upstream)[0][0] == {"text": "Answer 2"}


class TestWithoutAStore:
    def test_answers_are_given_and_not_kept(
        self, redis_client: Any, cache: AnswerCache, upstream: Upstream
    ) -> None:
        class Away:
            def get(self, *_: Any) -> None:
                raise StoreUnavailable("away")

            put = get

        away = AnswerCache(Away())  # type: ignore[arg-type]

        assert [told(away, call(), upstream)[0][0]["text"] for _ in range(2)] == ["Answer 1", "Answer 2"]
