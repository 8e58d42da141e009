"""Chat for chat: events pass unchanged, except usage that was not requested and the sentinel."""

from __future__ import annotations

import orjson
import pytest

from app.streaming.events import DONE, Event
from app.translation.events.chat_to_chat import ChatPassThrough
from app.translation.events.chunk_identity import ChunkIdentity


def event(text: str) -> Event:
    return Event(orjson.loads(text), text.encode())


IDENTITY = {"id": "c", "created": 1, "model": "m"}
HEAD = '"id":"c","object":"chat.completion.chunk","created":1,"model":"m"'
PLAIN = '{HEAD,"choices":[{"index":0,"delta":{"role":"assistant","content":"a"}}]}'.replace("HEAD", HEAD)
NULL = PLAIN[:-1] + ',"usage":null}'
USAGE = '{HEAD,"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'.replace(
    "HEAD", HEAD
)
ERROR = '{"error":{"message":"boom"}}'


def translator(*, include_usage: bool) -> ChatPassThrough:
    return ChatPassThrough(ChunkIdentity(IDENTITY), include_usage=include_usage)


class TestUsageRequested:
    def test_untouched(self):
        """Every event is the very one that came."""
        events = [event(PLAIN), event(NULL), event(USAGE)]

        assert translator(include_usage=True).translate([*events, DONE]) == events


class TestUsageNotRequested:
    def test_usage_chunk_is_dropped(self):
        assert translator(include_usage=False).translate([event(USAGE), DONE]) == []

    def test_usage_chunk_that_was_not_understood_is_dropped(self):
        filtered = event('{HEAD,"choices":[],"usage":null,"prompt_filter_results":[]}'.replace("HEAD", HEAD))
        empty = event('{HEAD,"choices":[],"usage":null}'.replace("HEAD", HEAD))

        assert translator(include_usage=False).translate([empty, filtered]) == [filtered]

    def test_chunk_without_usage_is_untouched(self):
        plain = event(PLAIN)

        assert translator(include_usage=False).translate([plain]) == [plain]

    @pytest.mark.parametrize(
        "text",
        [
            NULL,
            '{"usage":null,HEAD,"choices":[{"index":0}]}',
            '{HEAD, "usage": null, "choices":[{"index":0}]}',
            '{HEAD,"choices":[{"index":0,"delta":{ROLE,"content":",\\"usage\\":null"}}],"usage":null}',
            '{HEAD,"choices":[{"index":0,"delta":{ROLE,"usage":null}}],"usage":null}',
            '{HEAD,"choices":[{"index":0,"delta":{ROLE},"finish_reason":"stop"}],"usage":{"total_tokens":3}}',
        ],
    )
    def test_no_chunk_has_the_key(self, text):
        """The key goes, in the object and in the bytes; everything else stays."""
        text = text.replace("HEAD", HEAD).replace("ROLE", '"role":"assistant"')
        (out,) = translator(include_usage=False).translate([event(text)])
        expected = orjson.loads(text)
        del expected["usage"]

        assert out.payload == expected
        assert orjson.loads(out.encoded()) == expected

    def test_bytes_are_cut_not_encoded_again(self):
        (out,) = translator(include_usage=False).translate([event(NULL)])

        assert out.data == PLAIN.encode()

    def test_an_event_is_changed_where_it_is(self):
        """A second one for every token would cost as much as all the rest done to it."""
        given = event(NULL)

        assert translator(include_usage=False).translate([given]) == [given]


def test_error_passes():
    """What is no chunk at all is not ours to judge."""
    error = event(ERROR)

    assert translator(include_usage=False).translate([error]) == [error]


def test_nothing_is_held_back():
    assert translator(include_usage=True).finish() == []
