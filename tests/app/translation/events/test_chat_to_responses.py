"""Chat chunks -> Responses events: pairs of files, then properties of all pairs."""

from __future__ import annotations

from typing import ClassVar

import pytest

from app.streaming.events import Event
from app.translation.events.chat_to_responses import ChatToResponses
from app.translation.requests.carried_state import decode_state
from app.translation.requests.chat_tool_names import ChatToolNames, ToolRef
from app.translation.requests.input_to_messages import messages_from_input
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
        """A finished response has one terminal event, the last; an unfinished one has none."""
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


USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


@pytest.mark.parametrize("usage", [{}, {"usage": USAGE}])
def test_deltas_after_the_finish_reason(usage):
    """Arguments of a call that has none yet, and text, which begins another item."""
    called = {"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}
    deltas = [{"tool_calls": [called]}, {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}]
    chunks = [
        {
            "choices": [{"index": 0, "delta": {"content": "Hi", **deltas[0]}, "finish_reason": "tool_calls"}],
            **usage,
        },
        {"choices": [{"index": 0, "delta": deltas[1], "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": "Bye"}, "finish_reason": None}]},
    ]
    translator = responses()
    events = [event.payload for event in translator.translate(list(map(Event, chunks))) + translator.finish()]

    last = events[-1]
    text, call, more = last["response"]["output"]
    assert last["type"] == "response.completed"
    assert (text["content"][0]["text"], more["content"][0]["text"]) == ("Hi", "Bye")
    assert (call["arguments"], call["status"]) == ("{}", "completed")
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_arguments_after_the_end_of_their_call():
    """A call that has arguments ends with its finish reason, without waiting for usage."""
    called = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    late = {"tool_calls": [{"index": 0, "function": {"arguments": "x"}}]}
    translator = responses()
    begun = translator.translate(
        [Event({"choices": [{"index": 0, "delta": {"tool_calls": [called]}, "finish_reason": "tool_calls"}]})]
    )

    assert begun[-1].type == "response.output_item.done"
    assert translator.translate([Event({"choices": [{"index": 0, "delta": late}]})]) == []


def test_model_falls_back_to_the_requests():
    events = responses().translate([Event({"choices": []})])

    assert events[0].payload["response"]["model"] == "llama-4"


@pytest.mark.parametrize("choices", [None, [], [{"index": 0}], [{"index": 0, "delta": None}]])
def test_chunk_without_content(choices):
    """A chunk without content opens the response and no more."""
    assert len(responses().translate([Event({"choices": choices})])) == 2


class TestToolsOfTheRequest:
    """Calls come back under the names and types that the client knows."""

    LONG = "y" * 50
    TOOLS: ClassVar = [
        {"type": "custom", "name": "apply_patch"},
        {"type": "local_shell"},
        {"type": "namespace", "name": "x" * 40, "tools": [{"type": "function", "name": "y" * 50}]},
    ]

    def items(self, *calls: dict, **request) -> list[dict]:
        translator = ChatToResponses("resp_1", 1700000000, {"model": "m", "input": "hi", **request})
        choices = [{"index": 0, "delta": {"tool_calls": list(calls)}, "finish_reason": "tool_calls"}]
        events = translator.translate([Event({"choices": choices})]) + translator.finish()
        return events[-1].payload["response"]["output"]

    def call(self, name: str, arguments: str, **more) -> dict:
        function = {"name": name, "arguments": arguments}
        return {"index": 0, "id": "call_1", "type": "function", "function": function, **more}

    def test_custom(self):
        (item,) = self.items(self.call("apply_patch", '{"input":"*** Begin"}'), tools=self.TOOLS)

        assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "apply_patch", "*** Begin")

    def test_local_shell(self):
        (item,) = self.items(self.call("local_shell", '{"command":["ls"]}'), tools=self.TOOLS)

        assert (item["type"], item["action"]["command"]) == ("local_shell_call", ["ls"])

    def test_long_name(self):
        name = ChatToolNames(self.TOOLS).name(ToolRef("function", "x" * 40, self.LONG))
        (item,) = self.items(self.call(name, "{}"), tools=self.TOOLS)

        assert (item["type"], item["namespace"], item["name"]) == ("function_call", "x" * 40, self.LONG)

    def test_signatures(self):
        """They travel in a reasoning item, which clients return."""
        extra = {"google": {"thought_signature": "c2ln"}}
        call, state = self.items(self.call("f", "{}", extra_content=extra))

        assert call["type"] == "function_call"
        assert decode_state(state) == {"calls": {"call_1": extra}}

    @pytest.mark.parametrize("options", [{"include": ["reasoning.encrypted_content"]}, {"store": False}])
    def test_reasoning_of_clients_that_return_no_text(self, options):
        """Those of OpenAI's protocol return what is encrypted, some only if nothing is stored."""
        delta = {"reasoning_content": "Hm", "tool_calls": [self.call("f", "{}")]}
        request = {"model": "m", "input": "hi", **options}
        translator = ChatToResponses("resp_1", 1700000000, request)
        events = translator.translate(
            [Event({"choices": [{"index": 0, "delta": delta, "finish_reason": "tool_calls"}]})]
        )
        item = (events + translator.finish())[-1].payload["response"]["output"][0]

        assert decode_state(item) == {"key": "reasoning_content", "text": "Hm"}


def test_citations():
    """They belong to the text that they follow, and are announced."""
    citation = {"url": "u", "title": "t", "start_index": 0, "end_index": 2}
    delta = {
        "content": "Hi",
        "annotations": [{"type": "url_citation", "url_citation": citation}, {"type": "x"}],
    }
    chunk = Event({"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]})
    events = [event.payload for event in responses().translate([chunk])]
    (added,) = [event for event in events if event["type"] == "response.output_text.annotation.added"]

    assert added["annotation"] == {"type": "url_citation", **citation}
    assert events[-1]["item"]["content"][0]["annotations"] == [added["annotation"]]


class TestReasoningDetails:
    """OpenRouter expects them back unchanged; a Responses client carries them in `encrypted_content`."""

    THOUGHTS: ClassVar = [
        {"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "text": text, "index": 0}]}
        for text in ("Hm", "m")
    ]
    SIGNATURE: ClassVar = {"reasoning_details": [{"type": "reasoning.text", "signature": "s", "index": 0}]}
    MERGED: ClassVar = [{"type": "reasoning.text", "text": "Hmm", "index": 0, "signature": "s"}]
    ENCRYPTED: ClassVar = {"reasoning_details": [{"type": "reasoning.encrypted", "data": "e", "index": 1}]}
    CALL: ClassVar = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}

    def response(self, *deltas, **request):
        translator = ChatToResponses("resp_1", 1, {"model": "m", **request})
        chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        events = translator.translate([Event(chunk) for chunk in chunks]) + translator.finish()
        return events[-1].payload["response"]

    @pytest.mark.parametrize("include", [[], ["reasoning.encrypted_content"]])
    @pytest.mark.parametrize("delta", [{"content": "a"}, CALL], ids=["text", "call"])
    def test_next_turn_has_them(self, include, delta):
        response = self.response(*self.THOUGHTS, self.SIGNATURE, delta, include=include)
        (message,) = messages_from_input(response["output"])

        assert response["output"][0]["content"] == [{"type": "reasoning_text", "text": "Hmm"}]
        assert (message["reasoning"], message["reasoning_details"]) == ("Hmm", self.MERGED)

    def test_text_in_details_alone(self):
        thoughts = [{"reasoning_details": each["reasoning_details"]} for each in self.THOUGHTS]
        response = self.response(*thoughts, self.SIGNATURE, self.CALL)
        (message,) = messages_from_input(response["output"])

        assert response["output"][0]["content"] == [{"type": "reasoning_text", "text": "Hmm"}]
        assert message["reasoning_details"] == self.MERGED
        assert {"reasoning", "reasoning_content"}.isdisjoint(message)

    def test_encrypted_alone(self):
        response = self.response(self.ENCRYPTED, {"content": "a"})
        (message,) = messages_from_input(response["output"])

        assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
        assert message["reasoning_details"] == self.ENCRYPTED["reasoning_details"]

    def test_after_the_response(self):
        response = self.response(*self.THOUGHTS, self.CALL, self.SIGNATURE, self.ENCRYPTED)
        (message,) = messages_from_input(response["output"])

        assert message["reasoning_details"] == [*self.MERGED, *self.ENCRYPTED["reasoning_details"]]

    @pytest.mark.parametrize("details", [7, "x", [7], [{"text": 7}], {}])
    def test_of_no_shape(self, details):
        response = self.response({"reasoning_details": details}, {"content": "a"})

        assert response["output"][-1]["content"][0]["text"] == "a"
