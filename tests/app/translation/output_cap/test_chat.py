from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.streaming.events import Event
from app.streaming.fold_chat import ChatFold
from app.translation.output_cap.chat import ChatOutputCap

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> Event:
    return Event({**HEAD, "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more})


def response(*texts: str, **more: Any) -> list[Event]:
    first = chunk({"role": "assistant", "content": ""}, **more)
    return [first, *(chunk({"content": text}, **more) for text in texts), chunk(finish="stop", **more)]


def folded(events: list[Event]) -> dict[str, Any]:
    fold = ChatFold()
    for event in events:
        fold.add_event(event.payload)
    return dict(fold.result()["choices"][0])


class TestChatCut:
    def test_untouched(self) -> None:
        """An unchanged event is the same object, with its bytes."""
        events = response("hello ", "world")

        assert ChatOutputCap(100, ("END",)).limit_events(events) == events

    @given(st.lists(st.text("xyz", min_size=1, max_size=3), max_size=8), st.integers(0, 10))
    def test_length(self, texts: list[str], most: int) -> None:
        cut, complete = ChatOutputCap(most), "".join(texts)

        choice = folded(cut.limit_events(response(*texts)))

        assert choice["message"]["content"] == complete[:most]
        assert choice["finish_reason"] == ("length" if len(complete) > most else "stop")

    def test_stop(self) -> None:
        """The stop text and all after it is left out; nothing follows the end."""
        cut = ChatOutputCap(None, ("\n\n",))

        out = cut.limit_events(response("one\n", "\ntwo", "three"))

        assert cut.cut == "stop"
        assert [event.payload["choices"][0]["delta"] for event in out[1:]] == [{"content": "one"}, {}]
        assert out[-1].payload["choices"][0]["finish_reason"] == "stop"
        assert cut.limit_events(response("more")) == []

    def test_held_text_comes_before_the_end(self) -> None:
        """Text that turned out not to be a stop sequence is sent before what follows."""
        out = ChatOutputCap(None, ("END",)).limit_events(response("the EN"))

        deltas = [event.payload["choices"][0]["delta"] for event in out]
        assert deltas[1:] == [{"content": "the "}, {"content": "EN"}, {}]

    def test_held_text_comes_before_a_call(self) -> None:
        call = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}

        out = ChatOutputCap(None, ("END",)).limit_events([chunk({"content": "E"}), chunk(call)])

        assert [event.payload["choices"][0]["delta"] for event in out] == [{"content": "E"}, call]

    def test_arguments_count(self) -> None:
        call = {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 12345}'}}]}
        cut = ChatOutputCap(8)

        out = cut.limit_events([chunk({"refusal": "no"}), chunk({"reasoning_content": "hm"}), chunk(call)])

        assert out[-2].payload["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == '{"a"'
        assert out[-1].payload["choices"][0]["finish_reason"] == "length"

    def test_usage_was_requested(self) -> None:
        """If usage was requested, a usage of null is sent before the end."""
        out = ChatOutputCap(1).limit_events(response("long", usage=None))

        assert out[-1].payload == {**HEAD, "choices": [], "usage": None}
        assert out[-2].payload["choices"][0]["finish_reason"] == "length"

    def test_other_chunks_pass(self) -> None:
        usage = Event({**HEAD, "choices": [], "usage": {"total_tokens": 3}})

        assert ChatOutputCap(0).limit_events([usage]) == [usage]

    def test_logprobs_of_what_is_left_out(self) -> None:
        event = chunk({"content": "long"})
        event.payload["choices"][0]["logprobs"] = {"content": [{"token": "long"}]}

        assert ChatOutputCap(2).limit_events([event])[0].payload["choices"][0]["logprobs"] is None

    def test_final_chunks_have_nothing_of_another_choice(self) -> None:
        """The newest chunk has the end of one choice; the others end with only their index and reason."""
        cut = ChatOutputCap(None)
        event = chunk({"content": "b"}, "stop")
        event.payload["choices"][0] |= {"index": 1, "native_finish_reason": "end_turn", "stop_reason": 7}
        cut.limit_events([chunk({"content": "a"}), event])

        ends = [end.payload for end in cut.cut_off([0, 2])]

        assert ends == [
            {**HEAD, "choices": [{"index": index, "delta": {}, "finish_reason": "length"}]}
            for index in (0, 2)
        ]
