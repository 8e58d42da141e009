"""Responses events -> chat chunks: pairs of files, then what pairs cannot show."""

from __future__ import annotations

from typing import Any

import pytest

from app.streaming.events import Event
from app.streaming.fold_chat import ChatFold
from app.translation.events.responses_to_chat import ResponsesToChat
from tests.app.translation.pairs import CUTS, decoded, names, read, translated

FOLDER = "responses_to_chat"


def chat(include_usage: bool = True, model: str | None = None, **more) -> ResponsesToChat:
    return ResponsesToChat("chatcmpl-1", 1700000000, model, include_usage, **more)


def fed(name: str, translator: ResponsesToChat) -> list[dict]:
    return translated(read(FOLDER, f"{name}.responses.sse"), "whole", translator)


def deltas(chunks: list[dict]) -> list[dict]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", names(FOLDER, ".responses.sse"))
def test_pair(name, cut):
    """An upstream's stream becomes its pair's, however it is cut."""
    chunks = translated(read(FOLDER, f"{name}.responses.sse"), cut, chat())

    assert chunks == decoded(read(FOLDER, f"{name}.chat.sse"))


@pytest.mark.parametrize("name", names(FOLDER, ".responses.sse"))
class TestEveryStream:
    def test_one_role_first(self, name):
        """The role is in the first chunk and in no other."""
        roles = ["role" in delta for delta in deltas(fed(name, chat()))]

        assert roles == [True] + [False] * (len(roles) - 1)

    def test_one_finish(self, name):
        """A response has one finish_reason, in its last choice; one that failed has none."""
        choices = [choice for chunk in fed(name, chat()) for choice in chunk["choices"]]
        finished = [choice["finish_reason"] is not None for choice in choices]

        assert sum(finished) == (0 if name in ("failed", "error") else 1)
        assert not any(finished[:-1])

    def test_no_usage_unless_requested(self, name):
        """Without `include_usage` the chunks are the same, but none has usage."""
        with_usage = [chunk for chunk in fed(name, chat()) if chunk["choices"]]
        without = fed(name, chat(include_usage=False))

        assert without == [{k: v for k, v in chunk.items() if k != "usage"} for chunk in with_usage]


class TestModel:
    def test_given(self):
        """The client's name of the model is used, whatever the upstream's name is."""
        assert {chunk["model"] for chunk in fed("text", chat(model="mine"))} == {"mine"}

    def test_taken_from_the_upstream(self):
        assert {chunk["model"] for chunk in fed("text", chat())} == {"gpt-5.2"}


class TestLegacyFunctions:
    def test_call(self):
        """A request with `functions` gets a `function_call`."""
        chunks = fed("tool_call", chat(legacy_functions=True))

        assert deltas(chunks) == [
            {"role": "assistant", "function_call": {"name": "get_weather", "arguments": ""}},
            {"function_call": {"arguments": '{"city":'}},
            {"function_call": {"arguments": '"Łódź"}'}},
            {},
        ]
        assert chunks[-2]["choices"][0]["finish_reason"] == "function_call"


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "response.output_text.delta", "delta": None},
        {"type": "response.output_text.delta", "delta": ""},
        {"type": "response.refusal.delta"},
        {"type": "response.content_part.done", "part": None},
        {"type": "response.content_part.done", "part": {"type": ["odd"]}},
        {"type": "response.output_item.added", "item": None},
        {"type": "response.output_item.done", "item": {"type": "message", "content": None}},
        {"type": "response.function_call_arguments.delta", "item_id": "unheard_of", "delta": "x"},
        {"type": ["odd"]},
        {},
    ],
)
def test_event_without_content(payload):
    """Events without content, or of calls that were not announced, give no chunk."""
    assert chat().translate([Event(payload)]) == []


def test_finished_response_missing():
    """A terminal event is the end, even when it holds no response."""
    chunks = chat().translate([Event({"type": "response.completed"})])

    assert [chunk.payload["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None, "stop"]


class TestComments:
    """Messages of the phase `commentary` precede the response."""

    def chunks(self, *, is_formatted: bool, with_deltas: bool) -> list[dict]:
        translator = chat(is_formatted=is_formatted)
        events: list[dict] = []
        items = []
        for index, (phase, text) in enumerate([("commentary", "I look."), ("final_answer", '{"a":1}')]):
            position = {"item_id": f"msg_{index}", "output_index": index}
            item = {"type": "message", "id": f"msg_{index}", "role": "assistant", "phase": phase}
            items.append({**item, "content": [{"type": "output_text", "text": text}]})
            if with_deltas:
                events.append({"type": "response.output_item.added", "output_index": index, "item": item})
                delta = {"type": "response.output_text.delta", **position, "content_index": 0, "delta": text}
                events += [
                    delta,
                    {"type": "response.output_item.done", "output_index": index, "item": items[-1]},
                ]
        events.append({"type": "response.completed", "response": {"output": items}})
        return [event.payload for event in translator.translate([Event(one) for one in events])]

    def content(self, **how: bool) -> str:
        return "".join(delta.get("content") or "" for delta in deltas(self.chunks(**how)))

    @pytest.mark.parametrize("with_deltas", [True, False])
    def test_left_out_of_json(self, with_deltas):
        assert self.content(is_formatted=True, with_deltas=with_deltas) == '{"a":1}'

    def test_apart_from_the_response(self):
        assert self.content(is_formatted=False, with_deltas=True) == 'I look.\n\n{"a":1}'


def test_citations_that_only_a_snapshot_has():
    citation = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    part = {"type": "output_text", "text": "a", "annotations": [citation, {"type": "file_citation"}]}
    item = {"type": "message", "id": "msg_1", "content": [part]}
    done = Event({"type": "response.output_item.done", "output_index": 0, "item": item})
    sent = [event.payload for event in chat().translate([done, done])]

    assert [delta["annotations"] for delta in deltas(sent) if "annotations" in delta] == [
        [
            {
                "type": "url_citation",
                "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1},
            }
        ]
    ]


def joined(*payloads: dict, **options: Any) -> Any:
    """Return the choice of the whole response, whose calls an SDK joins by their dense index."""
    fold = ChatFold()
    indexes: list[int] = []
    for event in ResponsesToChat("c", 1, "m", include_usage=False, **options).translate(
        [Event(payload) for payload in payloads]
    ):
        for call in event.payload["choices"][0]["delta"].get("tool_calls", ()):
            if call["index"] not in indexes:
                indexes.append(call["index"])
        fold.add_event(event.payload)
    assert indexes == list(range(len(indexes)))
    return fold.result()["choices"][0]


def item(kind: str, number: int, **more: Any) -> dict:
    call = {"type": kind, "id": f"item_{number}", "call_id": f"call_{number}", "name": f"f{number}"}
    return {"output_index": number, "item": {**call, **more}}


COMPLETED = {"type": "response.completed", "response": {"output": []}}


def test_interleaved_custom_and_function_call():
    choice = joined(
        {"type": "response.output_item.added", **item("custom_tool_call", 0, input="")},
        {"type": "response.output_item.added", **item("function_call", 1, arguments="")},
        {"type": "response.output_item.done", **item("custom_tool_call", 0, input="x")},
        {"type": "response.output_item.done", **item("function_call", 1, arguments="{}")},
        COMPLETED,
    )

    assert {call["id"]: call["type"] for call in choice["message"]["tool_calls"]} == {
        "call_0": "custom",
        "call_1": "function",
    }


def test_call_id_in_the_finished_item_only():
    choice = joined(
        {"type": "response.output_item.added", **item("function_call", 0, call_id=None, arguments="")},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"},
        {"type": "response.output_item.done", **item("function_call", 0, arguments="{}")},
        COMPLETED,
    )

    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "f0", "arguments": "{}"}


def test_one_legacy_call():
    choice = joined(
        {"type": "response.output_item.done", **item("function_call", 0, arguments='{"a":1}')},
        {"type": "response.output_item.done", **item("function_call", 1, arguments='{"a":2}')},
        COMPLETED,
        legacy_functions=True,
    )

    assert choice["message"]["function_call"] == {"name": "f0", "arguments": '{"a":1}'}
    (second,) = choice["message"]["tool_calls"]  # a second one is not lost
    assert second["function"] == {"name": "f1", "arguments": '{"a":2}'}
    assert choice["finish_reason"] == "function_call"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter"), (None, "length")],
)
def test_cut_call_is_not_complete(reason, finish):
    choice = joined(
        {"type": "response.output_item.done", **item("function_call", 0, arguments='{"a')},
        {"type": "response.incomplete", "response": {"incomplete_details": {"reason": reason}}},
    )

    assert choice["finish_reason"] == finish


def test_logprobs_of_a_snapshot():
    token = {"token": "Hi", "logprob": -1.0, "top_logprobs": []}
    part = {"type": "output_text", "text": "Hi", "logprobs": [token]}
    choice = joined(
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "message", "id": "msg_1", "content": [part]},
        },
        COMPLETED,
    )

    assert choice["logprobs"]["content"][0]["token"] == "Hi"
