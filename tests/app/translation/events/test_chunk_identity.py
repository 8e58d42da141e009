"""All chunks of a chat stream have one identity, and each choice begins with its role."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.streaming.events import DONE, Event
from app.translation.events.chunk_identity import ChunkIdentity, identity_of

DEFAULT = {"id": "chatcmpl-made", "created": 7, "model": "requested"}
OWN = {"id": "c", "created": 1, "model": "m"}
TYPED = {**OWN, "object": "chat.completion.chunk"}
FIRST: dict[str, Any] = {"index": 0, "delta": {"role": "assistant", "content": "a"}}
NEXT: dict[str, Any] = {"index": 0, "delta": {"content": "b"}}
FILTERS = {"id": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}


def event(payload: dict[str, Any]) -> Event:
    return Event(payload, orjson.dumps(payload))


def in_batches(identity: ChunkIdentity, events: list[Event], *, batched: bool) -> list[Event]:
    """Return what becomes of *events*, read together or one by one."""
    if batched:
        return identity.unify(events)
    return [out for each in events for out in identity.unify([each])]


def identities(events: list[Event]) -> list[dict[str, Any]]:
    """Return the identity of each chunk, which its JSON has, too."""
    for each in events:
        assert orjson.loads(each.encoded()) == each.payload
    return [{key: each.payload[key] for key in DEFAULT} for each in events]


class TestIdentity:
    def test_constant_one_is_not_touched(self):
        events = [event({**TYPED, "choices": [choice]}) for choice in (FIRST, NEXT)]
        payloads = [each.payload for each in events]

        assert ChunkIdentity(DEFAULT).unify(events) == events
        assert [each.payload is payload for each, payload in zip(events, payloads, strict=True)] == [True] * 2
        assert None not in [each.data for each in events]

    @pytest.mark.parametrize(
        "later",
        [
            {},
            {"id": "", "model": None},
            {"id": "d", "created": 2, "model": "n"},
            {"created": 2},
            {"id": None},
        ],
    )
    def test_first_chunk_decides(self, later):
        events = [event({**OWN, "choices": [FIRST]}), event({**later, "choices": [NEXT]})]

        assert identities(ChunkIdentity(DEFAULT).unify(events)) == [OWN, OWN]

    @pytest.mark.parametrize("batched", [True, False])
    def test_missing_everywhere(self, batched):
        events = [event({"choices": [FIRST]}), event({"choices": [NEXT]}), DONE]
        identity = ChunkIdentity(DEFAULT)

        sent = in_batches(identity, events, batched=batched)

        assert identities(sent[:2]) == [DEFAULT, DEFAULT]
        assert sent[2] is DONE

    @pytest.mark.parametrize("kind", [{}, {"object": ""}, {"object": "chat.completion"}])
    def test_each_chunk_has_the_type(self, kind):
        """SDKs ignore others."""
        events = [event({**OWN, **kind, "choices": [choice]}) for choice in (FIRST, NEXT)]

        sent = in_batches(ChunkIdentity(DEFAULT), events, batched=False)

        assert [each.payload["object"] for each in sent] == ["chat.completion.chunk"] * 2
        assert identities(sent) == [OWN, OWN]

    @pytest.mark.parametrize("batched", [True, False])
    def test_chunks_without_choices_wait_for_the_id(self, batched):
        """Azure's first chunk has the results of filters, and no id."""
        events = [event({**FILTERS}), event({**OWN, "choices": [FIRST]})]
        identity = ChunkIdentity(DEFAULT)

        sent = in_batches(identity, events, batched=batched)

        assert identities(sent) == [OWN, OWN]
        assert "prompt_filter_results" in sent[0].payload
        assert identity.finish() == []

    @pytest.mark.parametrize("rest", [[], [DONE], [event({"error": {"message": "no"}})]])
    def test_nothing_follows(self, rest):
        identity = ChunkIdentity(DEFAULT)

        sent = identity.unify([event({**FILTERS}), *rest])
        sent += identity.finish()

        assert identities(sent[:1]) == [DEFAULT]
        assert sent[1:] == rest

    def test_time_alone_is_replaced_in_the_bytes(self):
        """Encoding again would cost more, for every chunk of Ollama."""
        late = event(
            {**TYPED, "created": 22, "choices": [{"index": 0, "delta": {"content": '"created":22'}}]}
        )

        identities(ChunkIdentity(DEFAULT).unify([event({**TYPED, "choices": [FIRST]}), late]))

        assert late.data is not None
        assert late.payload["created"] == 1

    def test_nested_time(self):
        text = b'{"x":{"created":2},"created": 2,"id":"c","model":"m","choices":[]}'
        late = Event(orjson.loads(text), text)

        identities(ChunkIdentity(DEFAULT).unify([event({**OWN, "choices": [FIRST]}), late]))

        assert late.payload["x"] == {"created": 2}

    @pytest.mark.parametrize("created", [None, 0, True, -3, "1", 1e300, float("nan"), float("inf")])
    def test_time_of_no_meaning(self, created):
        assert identity_of({**OWN, "created": created}, DEFAULT) == {**OWN, "created": 7}

    def test_time_with_a_fraction(self):
        assert identity_of({**OWN, "created": 3.5}, DEFAULT) == {**OWN, "created": 3}


class TestRoles:
    @pytest.mark.parametrize("role", [{}, {"role": None}, {"role": ""}, {"role": "assistant"}])
    def test_first_delta_has_it(self, role):
        chunks = [{**TYPED, "choices": [{"index": 0, "delta": {**role, "content": text}}]} for text in "ab"]

        sent = ChunkIdentity(DEFAULT).unify([event(chunk) for chunk in chunks])

        assert sent[0].payload["choices"][0]["delta"] == {"role": "assistant", "content": "a"}
        assert sent[1].payload == chunks[1]
        identities(sent)

    def test_each_choice_has_it(self):
        chunks = [{**OWN, "choices": [{"index": index, "delta": {"content": "a"}}]} for index in (0, 0, 1, 1)]

        sent = ChunkIdentity(DEFAULT, choices=2).unify([event(chunk) for chunk in chunks])

        roles = [each.payload["choices"][0]["delta"].get("role") for each in sent]
        assert roles == ["assistant", None, "assistant", None]

    def test_choice_without_delta_does_not_begin(self):
        """Azure's results of filters are such choices."""
        sent = ChunkIdentity(DEFAULT).unify(
            [event({**OWN, "choices": [choice]}) for choice in ({"index": 0}, NEXT)]
        )

        assert sent[1].payload["choices"][0]["delta"] == {"role": "assistant", "content": "b"}
