"""Chunks that deviate from the API, as servers send them: repaired by the reader of the stream."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.streaming.chat_protocol import ChatReader
from app.streaming.events import DONE, Event
from app.streaming.fold_chat import ChatFold
from app.translation.events.chat_to_responses import ChatToResponses

Payload = dict[str, Any]


def chunk(delta: Any, finish: Any = None, **choice: Any) -> Payload:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]}


def observed(*payloads: Payload) -> tuple[ChatReader, list[Event]]:
    reader, events = ChatReader(), [Event(payload, b"{}") for payload in payloads]
    for event in events:
        reader.observe(event)
    return reader, events


def choice_of(*payloads: Payload) -> Any:
    """Return the choice of the whole response."""
    fold = ChatFold()
    for event in observed(*payloads)[1]:
        fold.add_event(event.payload)
    return fold.result()["choices"][0]


def response_of(*payloads: Payload) -> Any:
    """Return the response that the chunks are translated to."""
    translator = ChatToResponses("resp_1", 1, {"model": "m"})
    events = translator.translate(observed(*payloads)[1]) + translator.finish()
    return events[-1].payload["response"]


class TestFinishReasons:
    @pytest.mark.parametrize("usage", [{}, {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}])
    def test_empty_is_no_end(self, usage):
        reader, events = observed(
            chunk({"content": "a"}, ""), {"choices": [], **usage}, chunk({"content": "b"}, "")
        )

        assert not reader.can_end()
        assert reader.finish is None
        assert [
            event.payload["choices"][0]["finish_reason"] for event in events if event.payload["choices"]
        ] == [
            None,
            None,
        ]

    @pytest.mark.parametrize("finish", ["null", "None"])
    def test_word_for_null_is_not_an_end(self, finish):
        chunks = (chunk({"content": "a"}, finish), chunk({"content": "b"}), chunk({}, "stop"))

        assert choice_of(*chunks)["message"]["content"] == "ab"
        response = response_of(*chunks)
        assert (response["status"], response["output"][0]["content"][0]["text"]) == ("completed", "ab")

    def test_error_that_is_null(self):
        chunks = ({**chunk({"content": "a"}), "error": None}, {**chunk({}, "stop"), "error": None})

        response = response_of(*chunks)
        assert (response["status"], response["output"][0]["content"][0]["text"]) == ("completed", "a")

    def test_other_name(self):
        assert choice_of(chunk({"content": "a"}), chunk({}, "model_length"))["finish_reason"] == "length"
        response = response_of(chunk({"content": "a"}), chunk({}, "model_length"))
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
        assert response["output"][0]["status"] == "incomplete"

    def test_unknown_is_not_complete(self):
        response = response_of(chunk({"content": "a"}), chunk({}, "paused"))

        assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "paused"})

    def test_unknown_is_no_end(self):
        """A client receives `length`; without `[DONE]`, a stream with an unknown reason is incomplete."""
        reader, (event,) = observed(chunk({"content": "a"}, "paused"))
        choice = event.payload["choices"][0]

        assert (choice["finish_reason"], choice["native_finish_reason"]) == ("length", "paused")
        assert not reader.can_end()
        reader.observe(DONE)
        assert reader.can_end()

    @pytest.mark.parametrize(("reason", "standard"), [("eos", "stop"), ("length", "length")])
    def test_reason_in_the_chunk(self, reason, standard):
        reader, (event,) = observed({**chunk({"content": "a"}), "finish_reason": reason})

        assert event.payload["choices"][0]["finish_reason"] == reader.finish == standard
        assert reader.can_end()

    @pytest.mark.parametrize("odd", [None, "", 7, ["stop"]])
    def test_no_reason_in_the_chunk(self, odd):
        reader, _ = observed({**chunk({"content": "a"}), "finish_reason": odd})

        assert not reader.can_end()

    @pytest.mark.parametrize("reason", ["abort", "insufficient_system_resource"])
    def test_broken_off(self, reason):
        reader, _ = observed(chunk({"content": "a"}), chunk({}, reason))

        assert reader.error is not None
        assert (reader.error.status, reader.error.code) == (502, reason)

    @pytest.mark.parametrize(("content", "failed"), [("", True), ("a", False)])
    def test_broken_off_by_the_vendors_reason(self, content, failed):
        reader, _ = observed(chunk({"content": content}, "stop", native_finish_reason="network_error"))

        assert (reader.error is not None) is failed

    @pytest.mark.parametrize(("is_forced", "reason"), [(False, "tool_calls"), (True, "stop")])
    def test_stop_after_calls(self, is_forced, reason):
        call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        reader, end = ChatReader(is_call_forced=is_forced), Event(chunk({}, "stop"))
        reader.observe(Event(chunk({"tool_calls": [call]})))
        reader.observe(end)

        assert (reader.finish, end.payload["choices"][0]["finish_reason"]) == (reason, reason)

    @pytest.mark.parametrize(("first", "second"), [("stop", "stop"), ("paused", "stop"), ("stop", "paused")])
    def test_a_second_one(self, first, second):
        """The client receives only the first; any known reason makes the stream complete."""
        reader, events = observed(chunk({"content": "a"}, first), chunk({"content": "b"}, second))
        ends = [event.payload["choices"][0]["finish_reason"] for event in events]

        assert ends == [{"paused": "length"}.get(first, first), None]
        assert events[1].payload["choices"][0]["delta"] == {"content": "b"}
        assert reader.can_end()

    def test_a_failure_after_one(self):
        reader, _ = observed(chunk({"content": "a"}, "stop"), chunk({}, "network_error"))

        assert reader.error is not None

    def test_one_for_each_choice(self):
        _, events = observed(chunk({"content": "a"}, "stop"), chunk({"content": "b"}, "stop", index=1))

        assert [event.data for event in events] == [b"{}"] * 2


PARTS: list[Any] = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
    "a",
    {"type": "text", "text": "b"},
]


CITING: list[Any] = [
    {"type": "text", "text": "Ünï"},
    {"type": "reference", "reference_ids": [3]},
    " 4.",
    {"type": "tool_reference", "tool": "web_search", "title": "t", "url": "u"},
]


class TestContentInParts:
    def test_folded_chat(self):
        message = choice_of(*(chunk({"content": [part]}) for part in PARTS), chunk({}, "stop"))["message"]

        assert (message["content"], message["reasoning_content"]) == ("ab", "Hm")

    def test_responses(self):
        response = response_of(chunk({"content": PARTS}), chunk({"content": "c"}), chunk({}, "stop"))

        assert [item["content"][0]["text"] for item in response["output"]] == ["Hm", "abc"]

    def test_references_in_thoughts_stay(self):
        reference = {"type": "reference", "reference_ids": [1]}
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}, reference]}

        message = choice_of(chunk({"content": ["a", thinking]}), chunk({}, "stop"))["message"]

        assert message["reasoning_content"] == "Hm"
        assert message["content_parts"] == [{**reference, "text_offset": 1}]

    def test_other_parts_stay(self):
        reference = {"type": "reference", "reference_ids": [1]}

        _, (event,) = observed(chunk({"content": ["a", reference]}))

        assert event.payload["choices"][0]["delta"] == {
            "content": "a",
            "content_parts": [{**reference, "text_offset": 1}],
        }

    @pytest.mark.parametrize("deltas", [[CITING], [[part] for part in CITING]], ids=["one", "each"])
    def test_positions_of_citations(self, deltas):
        chunks = (*(chunk({"content": parts}) for parts in deltas), chunk({}, "stop"))

        message = choice_of(*chunks)["message"]
        (item,) = response_of(*chunks)["output"]

        assert message["content"] == item["content"][0]["text"] == "Ünï 4."
        assert [part["text_offset"] for part in message["content_parts"]] == [3, 6]
        assert item["content"][0]["annotations"] == [
            {"type": "file_citation", "file_id": "3", "filename": "", "index": 3},
            {"type": "url_citation", "start_index": 6, "end_index": 6, "url": "u", "title": "t"},
        ]

    def test_parts_of_no_shape(self):
        odd = [7, {"type": "reference", "reference_ids": 7}]
        chunks = (chunk({"content": odd}), chunk({"content_parts": 7}), chunk({}, "stop"))

        assert choice_of(*chunks)["message"]["content_parts"] == 7
        assert response_of(*chunks)["output"] == []


class TestCalls:
    def test_parallel_calls_with_one_index(self):
        calls = [
            {"index": 0, "id": name, "type": "function", "function": {"name": name, "arguments": "{}"}}
            for name in "ab"
        ]
        chunks = (*(chunk({"tool_calls": [call]}) for call in calls), chunk({}, "stop"))

        _, events = observed(*chunks)

        assert [event.payload["choices"][0]["delta"]["tool_calls"][0]["index"] for event in events[:2]] == [
            0,
            1,
        ]
        assert [call["id"] for call in choice_of(*chunks)["message"]["tool_calls"]] == ["a", "b"]
        assert [item["call_id"] for item in response_of(*chunks)["output"]] == ["a", "b"]

    def test_held_call_is_sent_with_the_end(self):
        call = {"function": {"name": "f", "arguments": {"a": 1}}}

        (made,) = choice_of(chunk({"tool_calls": [call]}), chunk({}, "tool_calls"))["message"]["tool_calls"]

        assert made["function"] == {"name": "f", "arguments": '{"a":1}'}
        assert made["id"]
        assert made["type"] == "function"

    def test_documented_calls_are_passed_on_unchanged(self):
        first = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
        more = {"index": 0, "function": {"arguments": "{}"}}

        _, events = observed(
            chunk({"tool_calls": [first]}), chunk({"tool_calls": [more]}), chunk({}, "tool_calls")
        )

        assert [event.data for event in events] == [b"{}"] * 3

    def test_deprecated_function_call(self):
        chunks = (
            chunk({"function_call": {"name": "f", "arguments": {"a": 1}}}),
            chunk({}, "function_call"),
        )

        assert choice_of(*chunks)["message"]["function_call"]["arguments"] == '{"a":1}'
        (item,) = response_of(*chunks)["output"]
        assert (item["name"], item["arguments"]) == ("f", '{"a":1}')

    def test_bytes_of_an_object_count(self):
        reader, _ = observed(chunk({"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}))

        assert reader.output_bytes == 7


class TestTypes:
    """Where SDKs expect an object or a list, other types are converted if clear, else left out."""

    @pytest.mark.parametrize(
        "choices",
        [
            {"index": 0, "delta": {"content": "Hi"}},
            [{"index": "0", "delta": {"content": "Hi"}}],
            [{"index": 0, "delta": "Hi"}],
            [None, {"index": 0, "delta": {"content": {"type": "text", "text": "Hi"}}}, "x"],
            [{"index": 0, "delta": {"content": "Hi", "tool_calls": [None], "function_call": 7}}],
        ],
    )
    def test_text(self, choices):
        reader, events = observed({"choices": choices}, chunk({}, "stop"))
        (choice,) = events[0].payload["choices"]

        assert choice["index"] == 0
        assert choice["delta"] == {"content": "Hi"}
        assert reader.output_bytes >= 2
        assert reader.can_end()

    @pytest.mark.parametrize("choices", [None, "x", 7, {"a": 1}, [None], ["x"]])
    def test_no_choice(self, choices):
        _, (event,) = observed({"id": "c", "choices": choices})

        assert event.payload["choices"] == []
        assert event.data is None

    @pytest.mark.parametrize("delta", [None, 7, ["x"], "", {"content": 7}, {"tool_calls": "x"}])
    def test_no_delta(self, delta):
        reader, (event,) = observed(chunk(delta, "stop"))

        assert event.payload["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        assert reader.can_end()

    def test_choices_with_an_index_that_is_text(self):
        _, events = observed(
            *({"choices": [{"index": index, "delta": {"content": index}}]} for index in "01")
        )

        assert [event.payload["choices"][0]["index"] for event in events] == [0, 1]

    def test_a_deprecated_function_call_that_is_text(self):
        choice = choice_of(chunk({"function_call": "f"}), chunk({}, "function_call"))

        assert choice["message"]["function_call"]["name"] == "f"


class TestCutCalls:
    """A finish reason while arguments are cut waits for the rest; without it the response was cut."""

    CUT: Payload = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}

    @pytest.mark.parametrize(
        "delta", [{"tool_calls": [CUT]}, {"function_call": {"name": "f", "arguments": "{"}}]
    )
    @pytest.mark.parametrize("reason", ["stop", "tool_calls", "function_call"])
    def test_end(self, delta, reason):
        reader, events = observed(chunk(delta), chunk({}, reason))
        held = reader.held_end()

        assert events[1].payload["choices"][0]["finish_reason"] is None
        assert held.payload["choices"][0]["finish_reason"] == reader.finish == "length"
        assert reader.can_end()
        assert reader.held_end() is None

    @pytest.mark.parametrize("reason", ["length", "content_filter"])
    def test_the_upstreams_own_word(self, reason):
        reader, events = observed(chunk({"tool_calls": [self.CUT]}), chunk({}, reason))

        assert reader.held_end() is None
        assert events[1].data == b"{}"

    def test_the_rest(self):
        rest = {"index": 0, "function": {"arguments": "}"}}
        reader, _ = observed(
            chunk({"tool_calls": [self.CUT]}), chunk({}, "stop"), chunk({"tool_calls": [rest]}, "stop")
        )

        assert reader.held_end().payload["choices"][0]["finish_reason"] == reader.finish == "tool_calls"

    def test_a_call_after_stop(self):
        """After an end that the client has received, the end of the call follows."""
        call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        chunks = chunk({"content": "Hi"}), chunk({}, "stop"), chunk({"tool_calls": [call]})
        reader, events = observed(*chunks)

        assert events[1].payload["choices"][0]["finish_reason"] == "stop"
        assert reader.held_end().payload["choices"][0]["finish_reason"] == reader.finish == "tool_calls"
        assert reader.held_end() is None

    def test_with_usage(self):
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        _, events = observed(
            chunk({"tool_calls": [self.CUT]}), chunk({}, "stop"), {"choices": [], "usage": usage}
        )

        assert events[2].payload["choices"][0]["finish_reason"] == "length"
        assert events[2].payload["usage"] == usage

    def test_one_of_two_choices(self):
        call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        reader, events = observed(
            chunk({"tool_calls": [call]}),
            chunk({"tool_calls": [self.CUT]}, index=1),
            chunk({}, "tool_calls"),
            chunk({}, "tool_calls", index=1),
        )

        assert events[2].payload["choices"][0]["finish_reason"] == reader.finish == "tool_calls"
        (end,) = reader.held_end().payload["choices"]
        assert (end["index"], end["finish_reason"], reader.finish) == (1, "length", "tool_calls")


class TestCompleteMessage:
    CALL: Payload = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    MESSAGE: Payload = {"role": "assistant", "content": "Hi", "tool_calls": [CALL]}
    CHUNK: Payload = {"choices": [{"message": MESSAGE, "finish_reason": "tool_calls"}]}

    def test_becomes_a_delta(self):
        response = response_of(self.CHUNK)

        assert [item["type"] for item in response["output"]] == ["message", "function_call"]
        assert choice_of(self.CHUNK)["message"]["content"] == "Hi"

    def test_does_not_repeat_deltas(self):
        reader, events = observed(chunk({"content": "Hi"}), {"choices": [{"message": {"content": "Hi"}}]})

        assert events[1].payload["choices"][0]["delta"] == {}
        assert reader.output_bytes == 2


class TestUsage:
    USAGE: Payload = {"prompt_tokens": 1234, "completion_tokens": 56, "total_tokens": 1290}

    @pytest.mark.parametrize(
        "last",
        [
            chunk({}, "stop", usage=USAGE),
            {**chunk({}, "stop"), "x_groq": {"usage": USAGE}},
        ],
    )
    def test_elsewhere(self, last):
        reader, events = observed(chunk({"content": "a"}), last)

        assert reader.reported_usage is not None
        assert reader.reported_usage.total_tokens == 1290
        assert events[1].payload["usage"] == self.USAGE

    def test_unknown_shape(self):
        reader, _ = observed(chunk({"content": "a"}, "stop"), {"choices": [], "usage": {"units": 5}})

        assert reader.unknown_usage == {"units": 5}
        assert reader.usage is None


class TestFunctionCall:
    """A message has one deprecated `function_call`; further ones are tool calls."""

    @staticmethod
    def pieces(*calls: tuple[str | None, Any]) -> list[Payload]:
        called = [
            {key: value for key, value in (("name", name), ("arguments", text)) if value is not None}
            for name, text in calls
        ]
        return [*(chunk({"function_call": call}) for call in called), chunk({}, "function_call")]

    @pytest.mark.parametrize(
        "calls",
        [
            [("f", '{"a":'), (None, "1}"), ("g", "{"), (None, "}")],
            [("f", '{"a":1}'), ("g", "{}")],
            [("f", ""), (None, '{"a":1}'), ("g", ""), (None, "{}")],
            [("f", {"a": 1}), ("g", {})],
        ],
    )
    def test_a_second_one(self, calls):
        choice = choice_of(*self.pieces(*calls))
        message, items = choice["message"], response_of(*self.pieces(*calls))["output"]

        assert message["function_call"]["name"] == "f"
        assert orjson.loads(message["function_call"]["arguments"]) == {"a": 1}
        assert [call["function"] for call in message["tool_calls"]] == [{"name": "g", "arguments": "{}"}]
        assert choice["finish_reason"] == "function_call"
        assert [(item["name"], orjson.loads(item["arguments"])) for item in items] == [
            ("f", {"a": 1}),
            ("g", {}),
        ]
        assert len({item["call_id"] for item in items}) == 2

    def test_the_same_function_again(self):
        message = choice_of(*self.pieces(("f", '{"a":1}'), ("f", '{"a":2}')))["message"]

        assert message["function_call"] == {"name": "f", "arguments": '{"a":1}'}
        assert [call["function"]["arguments"] for call in message["tool_calls"]] == ['{"a":2}']

    @pytest.mark.parametrize("name", [None, "", "f"])
    def test_a_name_that_is_repeated(self, name):
        calls = self.pieces(("f", '{"a":'), (name, "1"), (name, "}"))
        (item,) = response_of(*calls)["output"]

        assert choice_of(*calls)["message"]["function_call"]["arguments"] == item["arguments"] == '{"a":1}'

    def test_a_repeated_name_is_sent_once(self):
        """SDKs append each."""
        _, events = observed(*self.pieces(("f", '{"a":'), ("f", "1"), ("f", "}")))

        deltas = [event.payload["choices"][0]["delta"] for event in events]
        names = [delta["function_call"].get("name") for delta in deltas if "function_call" in delta]
        assert names == ["f", None, None]

    def test_one_is_regular(self):
        _, events = observed(*self.pieces(("f", '{"a":'), (None, "1}")))

        assert [event.data for event in events] == [b"{}"] * 3
