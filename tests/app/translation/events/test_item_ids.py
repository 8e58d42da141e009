"""One item has one id over all of its events, so that clients can join them."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent

from app.streaming.events import Event
from app.translation.events.item_ids import ItemIds
from app.translation.events.responses_to_responses import ResponsesPassThrough

Json = dict[str, Any]

PART = {"type": "output_text", "text": "Hello", "annotations": []}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [PART],
}


def event(kind: str, **fields: Any) -> Event:
    return Event({"type": f"response.{kind}", "output_index": 0, **fields}, b"{}")


def announced(**fields: Any) -> ItemIds:
    ids = ItemIds()
    added = event("output_item.added", item={**MESSAGE, "content": [], **fields})
    assert ids.repaired(added) is added
    return ids


@pytest.mark.parametrize("place", [{}, {"item_id": None}, {"item_id": "msg_2"}, {"item_id": ["msg_1"]}])
@pytest.mark.parametrize(
    "kind", ["output_text.delta", "refusal.delta", "content_part.added", "output_text.done"]
)
def test_events_of_parts(kind: str, place: Json) -> None:
    repaired = announced().repaired(event(kind, content_index=1, delta="a", **place))

    assert (repaired.payload["item_id"], repaired.payload["content_index"]) == ("msg_1", 1)
    assert repaired.data is None


@pytest.mark.parametrize("place", [{}, {"content_index": None}, {"content_index": "0"}])
def test_a_place_that_is_missing(place: Json) -> None:
    repaired = announced().repaired(event("output_text.delta", item_id="msg_1", delta="a", **place))

    assert repaired.payload["content_index"] == 0


def test_arguments_have_no_place() -> None:
    delta = event("function_call_arguments.delta", item_id="msg_1", delta="{")

    assert announced().repaired(delta) is delta


def test_regular_events_are_unchanged() -> None:
    ids = announced()
    for regular in (
        event("output_text.delta", item_id="msg_1", content_index=0, delta="a"),
        event("output_item.done", item=MESSAGE),
    ):
        assert ids.repaired(regular) is regular
    output = [MESSAGE]
    assert ids.with_announced(output) is output


def test_the_finished_item() -> None:
    ids = announced()
    other = {**MESSAGE, "id": "msg_2"}

    assert ids.repaired(event("output_item.done", item=other)).payload["item"] == MESSAGE
    assert ids.with_announced([other]) == [MESSAGE]
    assert other["id"] == "msg_2"


def test_an_index_that_is_used_again() -> None:
    """Another item of the same index has its own id."""
    ids = announced(type="reasoning", id="rs_1")
    done = event("output_item.done", item=MESSAGE)

    assert ids.repaired(done) is done
    ids.repaired(event("output_item.added", item=MESSAGE))
    assert ids.repaired(event("output_text.delta", delta="a")).payload["item_id"] == "msg_1"


@pytest.mark.parametrize("odd", [{"output_index": 1}, {"item": 7}])
def test_odd_events(odd: Json) -> None:
    done = event("output_item.done", **{"item": {**MESSAGE, "id": "msg_2"}, **odd})
    ids = announced()

    repaired = ids.repaired(done)

    assert repaired.payload["item"] == 7 if "item" in odd else repaired is done


@pytest.mark.parametrize("place", [{}, {"output_index": None}, {"output_index": "0"}, {"output_index": [0]}])
def test_events_without_an_output_index(place: Json) -> None:
    """They are of the item with their id, else of the one that was begun last."""
    ids, other = announced(), {**MESSAGE, "id": "msg_2"}

    def index_of(kind: str, **fields: Any) -> Any:
        payload = {
            key: value for key, value in event(kind, **fields).payload.items() if key != "output_index"
        }
        return ids.placed(Event({**payload, **place})).payload["output_index"]

    assert index_of("output_text.delta", delta="a") == 0
    assert index_of("output_item.added", item=other) == 1
    assert index_of("output_text.delta", delta="a", item_id="unknown") == 1
    assert index_of("output_text.delta", delta="a", item_id="msg_1") == 0
    assert index_of("output_item.done", item=MESSAGE) == 0
    assert index_of("output_item.done", item={"type": "reasoning", "id": "rs_1"}) == 2
    assert index_of("output_item.done", item={**MESSAGE, "id": "msg_3"}) == 1
    assert index_of("output_text.delta", delta="a") == 3


def test_one_call_id_of_two_calls() -> None:
    """The second has its own id instead, in every event and in the final output."""
    ids = ItemIds()
    calls = [{"type": "function_call", "id": f"fc_{n}", "call_id": "call_1"} for n in (0, 1)]
    for step in ("added", "done"):
        for index, call in enumerate(calls):
            repaired = ids.repaired(event(f"output_item.{step}", output_index=index, item=call))
            assert repaired.payload["item"] == {**call, "call_id": ("call_1", "fc_1")[index]}

    assert ids.with_announced(calls) == [calls[0], {**calls[1], "call_id": "fc_1"}]


def test_parts_without_an_index() -> None:
    """A part that begins after another has ended is the next one."""
    ids = announced()
    kinds = ["content_part.added", "output_text.delta", "output_text.annotation.added", "output_text.done"]
    kinds += ["content_part.done"]
    repaired = [ids.repaired(event(kind)).payload["content_index"] for kind in [*kinds, *kinds]]
    assert repaired == [0] * 5 + [1] * 5
    bare = ["output_text.delta", "output_text.delta", "output_text.done"] * 2
    ids = announced()
    assert [ids.repaired(event(kind)).payload["content_index"] for kind in bare] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("order", [[1], [1, 0], [0, 1]])
def test_an_output_in_another_order(order: list[int]) -> None:
    """An item with the id of another announced one is that one."""
    ids = ItemIds()
    calls = [{"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}"} for n in (0, 1)]
    for index, call in enumerate(calls):
        ids.repaired(Event({"type": "response.output_item.added", "output_index": index, "item": call}))
    output = [calls[n] for n in order]

    assert ids.with_announced(output) is output


def test_the_sdk_follows() -> None:
    """The official client joins what had an id of its own in each event."""
    events = [
        event("created", response={"id": "resp_1", "status": "in_progress", "output": []}, sequence_number=0),
        event("output_item.added", item={**MESSAGE, "content": []}, sequence_number=1),
        event("content_part.added", item_id="x", part={**PART, "text": ""}, sequence_number=2),
        event("output_text.delta", item_id="y", delta="Hel", sequence_number=3),
        event("output_text.delta", item_id="z", delta="lo", sequence_number=4),
        event("output_text.done", text="Hello", sequence_number=5),
        event("content_part.done", item_id="v", part=PART, sequence_number=6),
        event("output_item.done", item={**MESSAGE, "id": "w"}, sequence_number=7),
        event(
            "completed",
            response={"id": "resp_1", "status": "completed", "output": [{**MESSAGE, "id": "u"}]},
            sequence_number=8,
        ),
    ]

    sent = ResponsesPassThrough().translate(events)

    ids = {payload["item_id"] for each in sent if "item_id" in (payload := each.payload)}
    assert ids == {"msg_1"}
    assert sent[-1].payload["response"]["output"] == [MESSAGE]
    state: Any = ResponseStreamState(text_format=openai.omit, input_tools=openai.omit)
    done = [
        state.handle_event(construct_type(type_=ResponseStreamEvent, value=each.payload)) for each in sent
    ]
    assert done[-1][-1].response.output_text == "Hello"
