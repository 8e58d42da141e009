"""
Several choices at a time: none that lacks its end is shown as complete, however the stream ends.

Responses are random, mixed in one stream, and cut at any byte or left without some finish reasons.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamError
from app.relay.unstreamed_attempt import begin_model_attempt
from app.streaming.events import UnstreamedResponse
from app.translation.requests.upstream_request import UpstreamRequest
from tests.app.relay.test_odd_events import Upstream, inputs_of, the_call

Json = dict[str, Any]
Choices = dict[int, tuple[str, str | None]]  # text and finish reason

TEXTS = st.lists(
    st.sampled_from(["Hello", " 😀", "\n\n", "data: [DONE]", '"finish_reason":"stop"']), min_size=1
)
CHOICES = st.lists(TEXTS, min_size=1, max_size=3)


def received(data: bytes, number: int, chance: random.Random, *, stream: bool) -> tuple[Choices, bool]:
    """Return the choices as the client of *number* choices received them, and whether they are complete."""
    context = the_call("chat", stream=stream, n=number)
    content_type = "application/json" if data[:1] == b"{" else "text/event-stream"
    attempt = begin_model_attempt(
        inputs_of(context, "openai", Upstream(data, chance, content_type)),
        UpstreamRequest("chat", {"model": "m", "n": number}, []),
    )
    choices: Choices = {}
    try:
        for events in attempt.events():
            for event in events or ():
                if type(event) is UnstreamedResponse:
                    return {
                        each["index"]: (each["message"]["content"], each["finish_reason"])
                        for each in orjson.loads(event.encoded())["choices"]
                    }, True
                for choice in event.payload.get("choices", ()):
                    _add(choices, choice)
    except UpstreamError:
        return choices, False
    return choices, True


def _add(choices: Choices, choice: Mapping[str, Any]) -> None:
    text, finish = choices.get(choice["index"], ("", None))
    text += choice["delta"].get("content") or ""
    choices[choice["index"]] = (text, choice["finish_reason"] or finish)


def chunks_of(texts: list[list[str]], unfinished: set[int], chance: random.Random) -> list[Json]:
    """Return the chunks of all *texts* in a random order; choices in *unfinished* have no finish reason."""
    queues = [
        [{"index": index, "delta": {"content": text}, "finish_reason": None} for text in pieces]
        + ([] if index in unfinished else [{"index": index, "delta": {}, "finish_reason": "stop"}])
        for index, pieces in enumerate(texts)
    ]
    chunks = []
    while any(queues):
        choice = chance.choice([queue for queue in queues if queue]).pop(0)
        chunks.append({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]})
    return chunks


@given(CHOICES, st.data(), st.randoms(use_true_random=False), st.booleans())
def test_streams(texts: list[list[str]], data: st.DataObject, chance: random.Random, stream: bool) -> None:
    unfinished = data.draw(st.sets(st.integers(0, len(texts) - 1), max_size=1))
    ends = data.draw(st.sampled_from([b"", b"data: [DONE]\n\n"]))
    chunks = chunks_of(texts, unfinished, chance)
    sent = b"".join(b"data: %b\n\n" % orjson.dumps(chunk) for chunk in chunks) + ends
    cut = data.draw(st.integers(0, len(sent)))

    choices, is_complete = received(sent[:cut], len(texts), chance, stream=stream)

    expected = {index: ("".join(pieces), "stop") for index, pieces in enumerate(texts)}
    if is_complete:
        assert not unfinished
        assert choices == expected
    else:
        assert cut < len(sent) or unfinished
        assert all(expected[index][0].startswith(text) for index, (text, _) in choices.items())


@given(CHOICES, st.data(), st.booleans())
def test_objects(texts: list[list[str]], data: st.DataObject, stream: bool) -> None:
    """The same for one JSON object in place of a stream."""
    unfinished = data.draw(st.sets(st.integers(0, len(texts) - 1), max_size=1))
    sent = {
        "id": "c",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": "".join(pieces)},
                "finish_reason": None if index in unfinished else "stop",
            }
            for index, pieces in enumerate(texts)
        ],
    }

    choices, is_complete = received(orjson.dumps(sent), len(texts), random.Random(0), stream=stream)

    assert is_complete == (not unfinished)
    if is_complete:
        assert choices == {index: ("".join(pieces), "stop") for index, pieces in enumerate(texts)}
