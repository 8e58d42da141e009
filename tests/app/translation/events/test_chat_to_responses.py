"""Chat chunks -> Responses events: pairs of files, then properties of all pairs."""

from __future__ import annotations

import pytest

from app.streaming.events import Event
from app.translation.events.chat_to_responses import ChatToResponses
from tests.app.translation.pairs import CUTS, decoded, names, read, translated

FOLDER = "chat_to_responses"
NAMES = names(FOLDER, ".chat.sse")
UNFINISHED = ("cut_short", "error")
REQUEST = {
    "model": "llama-4",
    "input": "hi",
    "instructions": "Be brief.",
    "tools": [{"type": "namespace", "name": "files", "tools": [{"type": "function", "name": "read"}]}],
}


def responses() -> ChatToResponses:
    return ChatToResponses("resp_1", 1700000000, REQUEST)


def fed(name: str) -> list[dict]:
    return translated(read(FOLDER, f"{name}.chat.sse"), "whole", responses())


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", NAMES)
def test_pair(name, cut):
    """An upstream's stream becomes its pair's, however it is cut."""
    events = translated(read(FOLDER, f"{name}.chat.sse"), cut, responses())

    assert events == decoded(read(FOLDER, f"{name}.responses.sse"))


@pytest.mark.parametrize("name", NAMES)
class TestEveryStream:
    def test_numbers(self, name):
        """Every event is numbered, from 0, without a gap."""
        numbers = [event["sequence_number"] for event in fed(name)]

        assert numbers == list(range(len(numbers)))

    def test_opening(self, name):
        assert [event["type"] for event in fed(name)[:2]] == ["response.created", "response.in_progress"]

    def test_terminal(self, name):
        """A finished answer has one terminal event, the last; an unfinished one has none."""
        terminals = ("response.completed", "response.incomplete")
        ends = [event["type"] in terminals for event in fed(name)]

        assert sum(ends) == (0 if name in UNFINISHED else 1)
        assert not any(ends[:-1])

    def test_parts_are_announced(self, name):
        """A delta comes after its item and its part were added, as SDKs insist."""
        known: set = set()
        for event in fed(name):
            if event["type"] == "response.output_item.added":
                known.add(event["output_index"])
            elif event["type"] == "response.content_part.added":
                assert event["output_index"] in known
                known.add((event["output_index"], event["content_index"]))
            elif event["type"].endswith(("text.delta", "refusal.delta")):
                assert (event["output_index"], event["content_index"]) in known
            elif event["type"].endswith(".delta"):
                assert event["output_index"] in known

    def test_output_is_what_was_done(self, name):
        """The final response has the items of the `done` events, in order."""
        events = fed(name)
        done = {e["output_index"]: e["item"] for e in events if e["type"] == "response.output_item.done"}
        if name not in UNFINISHED:
            assert events[-1]["response"]["output"] == [done[index] for index in range(len(done))]


def test_completion_waits_for_usage():
    """The final response waits for usage, the sentinel or the end."""
    translator = responses()
    finish = Event({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]})

    assert translator.translate([finish])[-1].type == "response.output_item.done"
    assert [event.type for event in translator.finish()] == ["response.completed"]
    assert translator.finish() == []


def test_model_falls_back_to_the_requests():
    events = responses().translate([Event({"choices": []})])

    assert events[0].payload["response"]["model"] == "llama-4"


@pytest.mark.parametrize("choices", [None, [], [{"index": 0}], [{"index": 0, "delta": None}]])
def test_chunk_without_content(choices):
    """A chunk without content opens the response and no more."""
    assert len(responses().translate([Event({"choices": choices})])) == 2
