from __future__ import annotations

from typing import Any

import pytest

from app.streaming.events import Event
from app.translation.output_cap.responses import ResponsesOutputCap

RESPONSE = {"id": "resp_1", "object": "response", "status": "in_progress", "output": [], "model": "m"}


def stream(*payloads: dict[str, Any]) -> list[Event]:
    return [Event({**payload, "sequence_number": n}) for n, payload in enumerate(payloads)]


def created() -> dict[str, Any]:
    return {"type": "response.created", "response": RESPONSE}


def added(index: int, **item: Any) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def delta(kind: str, index: int, text: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "item_id": f"i_{index}", "output_index": index, "delta": text, **more}


def message(index: int = 0) -> list[dict[str, Any]]:
    part = {"type": "output_text", "text": "", "annotations": []}
    return [
        added(index, id=f"i_{index}", type="message", role="assistant", status="in_progress", content=[]),
        {
            "type": "response.content_part.added",
            "item_id": f"i_{index}",
            "output_index": index,
            "content_index": 0,
            "part": part,
        },
    ]


def text_delta(text: str, index: int = 0) -> dict[str, Any]:
    return delta("response.output_text.delta", index, text, content_index=0, logprobs=[])


class TestResponsesCut:
    def test_untouched(self) -> None:
        events = stream(created(), *message(), text_delta("hello"))

        assert ResponsesOutputCap(5).limit_events(events) == events

    def test_message(self) -> None:
        """The text is cut, every open part is closed with its text, and the response is incomplete."""
        cut = ResponsesOutputCap(7)

        out = cut.limit_events(
            stream(created(), *message(), text_delta("hello "), text_delta("world"), text_delta("never"))
        )

        assert cut.cut == "length"
        assert [event.type for event in out[4:]] == [
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.incomplete",
        ]
        assert [event.payload["sequence_number"] for event in out] == list(range(len(out)))
        assert out[4].payload["delta"] == "w"
        assert out[5].payload["text"] == "hello w"
        final = out[-1].payload["response"]
        assert final["status"] == "incomplete"
        assert final["incomplete_details"] == {"reason": "max_output_tokens"}
        assert final["id"] == "resp_1"
        assert final["output"][0]["status"] == "incomplete"
        assert final["output"][0]["content"][0]["text"] == "hello w"
        assert cut.limit_events(stream(text_delta("more"))) == []

    def test_nothing_left(self) -> None:
        """A delta of which nothing may be shown is not sent, and leaves no gap in the numbers."""
        out = ResponsesOutputCap(5).limit_events(
            stream(created(), *message(), text_delta("hello"), text_delta("!"))
        )

        assert out[4].type == "response.output_text.done"
        assert [event.payload["sequence_number"] for event in out] == list(range(len(out)))

    def test_finished_items_stay(self) -> None:
        """Parts that the upstream has closed are repeated unchanged."""
        thought = {"id": "i_0", "type": "reasoning", "summary": [], "encrypted_content": "…"}
        call = added(1, id="i_1", type="function_call", call_id="c", name="f", arguments="")
        events = stream(
            created(),
            added(0, id="i_0", type="reasoning", summary=[]),
            {"type": "response.output_item.done", "output_index": 0, "item": thought},
            call,
            delta("response.function_call_arguments.delta", 1, '{"a": 1}'),
        )

        out = ResponsesOutputCap(4).limit_events(events)

        assert [event.type for event in out[4:]] == [
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.incomplete",
        ]
        output = out[-1].payload["response"]["output"]
        assert output[0] == thought
        assert (output[1]["arguments"], output[1]["status"]) == ('{"a"', "incomplete")

    def test_closed_part_is_not_closed_again(self) -> None:
        """Only the open one of two parts is closed; the other has its annotations."""
        complete = {"type": "output_text", "text": "one", "annotations": [{"type": "url_citation"}]}
        events = stream(
            created(),
            *message(),
            text_delta("one"),
            {"type": "response.content_part.done", "output_index": 0, "content_index": 0, "part": complete},
            delta("response.refusal.delta", 0, "never", content_index=1),
        )

        out = ResponsesOutputCap(5).limit_events(events)

        assert [event.type for event in out[6:]] == [
            "response.refusal.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.incomplete",
        ]
        assert out[-1].payload["response"]["output"][0]["content"] == [
            complete,
            {"type": "refusal", "refusal": "ne"},
        ]

    @pytest.mark.parametrize("numbered", [True, False])
    def test_unannounced(self, numbered: bool) -> None:
        """A response of a backend that numbers or announces nothing is closed as well."""
        events = [text_delta("hello")]
        out = ResponsesOutputCap(2).limit_events(
            stream(*events) if numbered else [Event(event) for event in events]
        )

        assert [event.type for event in out] == ["response.output_text.delta", "response.incomplete"]
        assert ("sequence_number" in out[-1].payload) is numbered
