"""Responses to Responses: events are passed on, and events that strict clients need are added."""

from __future__ import annotations

import pytest

from app.streaming.events import DONE, Event
from app.translation.events.responses_to_responses import MAX_HELD_EVENTS, ResponsesPassThrough
from tests.app.translation.pairs import CUTS, decoded, names, read, translated

FOLDER = "chat_to_responses"
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_a", "name": "f", "arguments": "{}"}
REPORTED = [
    *("output_item.added", "content_part.added", "output_text.delta"),
    *("output_text.done", "content_part.done"),
]
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


def event(kind: str, **fields) -> Event:
    return Event({"type": kind, **fields}, b"as it came")


def created() -> Event:
    return event("response.created", sequence_number=0, response={"id": "resp_1", "status": "in_progress"})


def completed(*output: dict, number: int = 9) -> Event:
    response = {"id": "resp_1", "status": "completed", "output": list(output)}
    return event("response.completed", sequence_number=number, response=response)


def added() -> Event:
    return event("response.output_item.added", output_index=0, item={**MESSAGE, "content": []})


def fed(*events: Event, **options) -> list[Event]:
    return ResponsesPassThrough(**options).translate(list(events))


def types(events: list[Event]) -> list[str]:
    return [event.type.removeprefix("response.") for event in events]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", names(FOLDER, ".responses.sse"))
def test_complete_stream_is_unchanged(name, cut):
    """A stream that lacks nothing is passed on unchanged."""
    stream = read(FOLDER, f"{name}.responses.sse")

    assert translated(stream, cut, ResponsesPassThrough()) == decoded(stream)


def test_same_events():
    """Events pass as the objects they are, so nothing is encoded again."""
    events = [
        created(),
        event("response.output_item.added", output_index=0, item={**MESSAGE, "content": []}),
        event("response.content_part.added", **PLACE, part={"type": "output_text", "text": ""}),
        event("response.output_text.delta", **PLACE, delta="Hello"),
        event("response.output_text.done", **PLACE, text="Hello"),
        event("response.output_item.done", output_index=0, item=MESSAGE),
        event("response.brand_new", more=1),
        completed(MESSAGE),
    ]

    assert fed(*events) == events


class TestCreated:
    def test_made_from_the_first_response(self):
        """`response.created` comes first, also where the upstream began with something else."""
        first = event("response.in_progress", sequence_number=4, response={"id": "resp_1", "output": [CALL]})
        made, passed = fed(first)

        assert passed is first
        assert made.payload == {
            "type": "response.created",
            "sequence_number": 3,
            "response": {"id": "resp_1", "status": "in_progress", "output": [], "usage": None},
        }

    def test_earlier_events_wait(self):
        """Events that come before any response go out after it was created."""
        delta = event("response.output_text.delta", **PLACE, delta="Hello")

        assert fed(delta) == []
        assert types(fed(delta, completed(MESSAGE))) == [
            "created",
            *REPORTED,
            "output_item.done",
            "completed",
        ]

    def test_waiting_has_an_end(self):
        deltas = [event("response.output_text.delta", **PLACE, delta="x") for _ in range(MAX_HELD_EVENTS + 1)]

        reply = types(fed(*deltas))

        assert reply == [
            "output_item.added",
            "content_part.added",
            *(MAX_HELD_EVENTS + 1) * ["output_text.delta"],
        ]

    def test_nothing_is_lost_at_the_end(self):
        translator = ResponsesPassThrough()
        delta = event("response.output_text.delta", **PLACE, delta="Hello")
        translator.translate([delta])

        assert translator.finish() == [delta]


class TestSnapshots:
    def test_text_only_in_done(self):
        """Text without deltas gets one, just before the event that has it."""
        done = event("response.output_text.done", sequence_number=4, **PLACE, text="Hello")
        part = event("response.content_part.added", **PLACE, part={"type": "output_text", "text": ""})
        *_, delta, passed = fed(created(), added(), part, done)

        assert passed.payload == {**done.payload, "sequence_number": 5}
        assert delta.payload == {
            "type": "response.output_text.delta",
            "sequence_number": 4,
            **PLACE,
            "delta": "Hello",
            "logprobs": [],
        }

    def test_item_only_in_done(self):
        """An item that was not announced is announced and sent once."""
        done = event("response.output_item.done", output_index=0, item=MESSAGE)
        out = fed(created(), done, completed(MESSAGE))

        assert types(out) == [
            "created",
            *REPORTED,
            "output_item.done",
            "completed",
        ]

    def test_message_without_deltas(self):
        """A message that was announced, and then only ended, gets its text."""
        out = fed(created(), added(), event("response.output_item.done", output_index=0, item=MESSAGE))

        assert types(out).count("output_item.added") == 1
        assert [one.payload["delta"] for one in out if one.type.endswith(".delta")] == ["Hello"]

    def test_only_in_completed(self):
        """A response that is only in the last event is sent step by step before it."""
        out = fed(created(), completed(MESSAGE, CALL))

        assert types(out)[-6:] == [
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]

    def test_other_items(self):
        """Items that do not grow are announced and ended."""
        search = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
        out = fed(created(), completed(search))

        assert types(out) == ["created", "output_item.added", "output_item.done", "completed"]


def delta(text: str, **place) -> Event:
    return event("response.output_text.delta", **place, delta=text)


class TestAnnouncing:
    """SDKs fail on deltas of items and parts that were not announced."""

    @pytest.mark.parametrize("place", [PLACE, {"output_index": 0, "content_index": 0}, {}])
    @pytest.mark.parametrize("ended", [True, False])
    def test_a_message_of_deltas_only(self, place, ended):
        dones = [
            event("response.output_text.done", **place, text="Hello"),
            event("response.content_part.done", **place, part=MESSAGE["content"][0]),
            event("response.output_item.done", output_index=0, item=MESSAGE),
        ]
        out = fed(
            created(), delta("Hel", **place), delta("lo", **place), *(dones if ended else ()), completed()
        )

        reply = [*REPORTED[:3], *REPORTED[2:], "output_item.done"]
        assert types(out) == ["created", *reply, "completed"]
        (item,) = out[-1].payload["response"]["output"]
        assert item["content"][0]["text"] == "Hello"
        assert {one.payload["item_id"] for one in out if "item_id" in one.payload} == {
            place.get("item_id", "msg_0")
        }

    def test_a_part(self):
        out = fed(created(), added(), delta("Hi", **PLACE), delta("!", **PLACE))

        assert types(out)[2:] == ["content_part.added", "output_text.delta", "output_text.delta"]

    def test_late_deltas_are_not_repeated(self):
        late = event("response.content_part.added", **PLACE, part={"type": "output_text", "text": ""})
        out = fed(created(), delta("Hi", **PLACE), added(), late, delta("!", **PLACE), completed())

        assert types(out).count("output_item.added") == types(out).count("content_part.added") == 1

    def test_a_call_that_was_not_announced(self):
        """Its deltas have neither its name nor its id: everything is sent once these are known."""
        place = {"item_id": "fc_1", "output_index": 0}
        out = fed(
            created(),
            event("response.function_call_arguments.delta", **place, delta="{"),
            event("response.function_call_arguments.done", **place, arguments="{}"),
            event("response.output_item.done", output_index=0, item=CALL),
            completed(),
        )

        call = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done"]
        assert types(out) == ["created", *call, "output_item.done", "completed"]

    def test_numbers_rise_by_one(self):
        """Added events have their own numbers; those of the upstream increase, also in later reads."""
        translator = ResponsesPassThrough()
        events = [created(), delta("a", **PLACE), delta("b", **PLACE), completed(number=3)]
        for number, one in enumerate(events):
            one.payload["sequence_number"] = number
        out = [reply for one in events for reply in translator.translate([one])]

        assert [one.payload["sequence_number"] for one in out] == list(range(9))


class TestOutput:
    def test_filled_from_items(self):
        """An empty output is filled with the items streamed, by output index."""
        out = fed(
            created(),
            event("response.output_item.added", output_index=0, item=CALL),
            event("response.output_item.done", output_index=1, item={**CALL, "call_id": "call_b"}),
            event("response.output_item.done", output_index=0, item=CALL),
            completed(),
        )

        assert out[-1].payload["response"]["output"] == [CALL, {**CALL, "call_id": "call_b"}]
        assert out[-1].payload["response"]["id"] == "resp_1"

    def test_argument_is_not_changed(self):
        last = completed()
        fed(created(), event("response.output_item.done", output_index=0, item=CALL), last)

        assert last.payload["response"]["output"] == []


class TestLeftOut:
    def test_backend_events(self):
        """The ChatGPT backend's own events are for its own clients."""
        limits = event("codex.rate_limits", plan_type="plus")

        assert fed(created(), limits)[1:] == []
        assert fed(created(), limits, keep_codex_events=True)[1:] == [limits]

    @pytest.mark.parametrize("kind", ["response.failed", "error"])
    def test_failures(self, kind):
        """A failure is raised by the reader and written by the edge."""
        assert fed(created(), event(kind))[1:] == []

    def test_sentinel(self):
        assert fed(created(), DONE)[1:] == []

    def test_after_the_end(self):
        assert types(fed(created(), completed(MESSAGE), completed(MESSAGE))).count("completed") == 1


def test_older_names():
    """Older names of events become today's."""
    delta = fed(created(), event("response.text.delta", **PLACE, delta="Hi"))[-1]
    delta.payload.pop("sequence_number"), delta.payload.pop("logprobs")

    assert delta.payload == {"type": "response.output_text.delta", **PLACE, "delta": "Hi"}


@pytest.mark.parametrize(
    "odd",
    [
        event("response.output_text.done", **PLACE, text=None),
        event("response.completed", response=None),
        event("response.completed", response={"output": []}),
    ],
)
def test_odd_event(odd):
    """Events that cannot be repaired are passed on unchanged."""
    assert fed(created(), odd)[1:] == [odd]


@pytest.mark.parametrize("item", [None, 5, [], {}, {"type": None}, {"type": ["message"], "id": "x"}])
@pytest.mark.parametrize("step", ["added", "done"])
def test_items_without_meaning_are_left_out(step, item):
    assert fed(created(), event(f"response.output_item.{step}", output_index=0, item=item))[1:] == []


@pytest.mark.parametrize("output", [None, {}, "x"])
def test_output_that_is_no_list(output):
    out = fed(created(), event("response.completed", response={"id": "resp_1", "output": output}))

    assert out[-1].payload["response"]["output"] == []


@pytest.mark.parametrize("kind", [None, ["x"], 5, ""])
def test_events_without_a_type_are_left_out(kind):
    assert fed(created(), event(kind, delta="x"))[1:] == []


ITEM = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
PART = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
BEGIN = {"type": "response.created", "response": {"id": "resp_1", "output": []}}
ADDED = {"type": "response.output_item.added", "output_index": 0, "item": ITEM}
PART_ADDED = {"type": "response.content_part.added", **PLACE, "part": PART}
DELTAS = [{"type": "response.output_text.delta", **PLACE, "delta": piece} for piece in ("Half", " of it")]
TEXT_DONE = {"type": "response.output_text.done", **PLACE, "text": "Half of it"}
PART_DONE = {"type": "response.content_part.done", **PLACE, "part": {**PART, "text": "Half of it"}}
FINISHED = {**ITEM, "status": "completed", "content": [{**PART, "text": "Half of it"}]}
ITEM_DONE = {"type": "response.output_item.done", "output_index": 0, "item": FINISHED}


def end(kind: str = "completed", *output: dict) -> dict:
    return {"type": f"response.{kind}", "response": {"id": "resp_1", "status": kind, "output": [*output]}}


def passed(*payloads: dict, numbered: bool = True) -> list[dict]:
    events = [
        Event({**payload, "sequence_number": number} if numbered else payload)
        for number, payload in enumerate(payloads)
    ]
    return [event.payload for event in ResponsesPassThrough().translate(events)]


def check_stream(events: list[dict], texts: list[str]) -> dict:
    """Check *events* as SDKs do: announced before it grows, ended once. Return the last response."""
    open_items: set[int] = set()
    parts: dict[tuple[int, int], str] = {}
    ended: list[int] = []
    for event in events:
        kind, index = event["type"], event.get("output_index")
        part = index, event.get("content_index")
        if kind == "response.output_item.added":
            assert index not in open_items
            open_items.add(index)
        elif kind == "response.content_part.added":
            assert index in open_items
            assert part not in parts
            parts[part] = ""
        elif kind == "response.output_text.delta":
            parts[part] += event["delta"]
        elif kind == "response.output_text.done":
            assert event["text"] == parts[part]
        elif kind == "response.output_item.done":
            open_items.remove(index)
            ended.append(index)
    assert not open_items
    assert len(ended) == len(set(ended))
    assert [parts[key] for key in sorted(parts)] == texts
    response = events[-1]["response"]
    assert [item["content"][0]["text"] for item in response["output"]] == texts
    return response


class TestUnfinishedItems:
    @pytest.mark.parametrize("closed", [(), (TEXT_DONE,), (TEXT_DONE, PART_DONE)])
    @pytest.mark.parametrize(("kind", "status"), [("completed", "completed"), ("incomplete", "incomplete")])
    def test_are_ended_before_the_response(self, kind, status, closed):
        events = passed(BEGIN, ADDED, PART_ADDED, *DELTAS, *closed, end(kind))

        response = check_stream(events, ["Half of it"])

        assert response["output"][0]["status"] == status
        types = [event["type"] for event in events]
        assert types[-4:] == [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            f"response.{kind}",
        ]
        numbers = [event["sequence_number"] for event in events]
        assert numbers == sorted(set(numbers))

    def test_final_response_has_the_item(self):
        events = passed(BEGIN, ADDED, PART_ADDED, *DELTAS, end("completed", FINISHED))

        check_stream(events, ["Half of it"])
        assert events[-2]["item"] == FINISHED

    def test_after_finished_ones(self):
        reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
        events = passed(
            BEGIN,
            {"type": "response.output_item.added", "output_index": 0, "item": reasoning},
            {"type": "response.output_item.done", "output_index": 0, "item": reasoning},
            *({**event, "output_index": 1} for event in (ADDED, PART_ADDED, *DELTAS)),
            end("incomplete"),
        )

        assert [item["type"] for item in events[-1]["response"]["output"]] == ["reasoning", "message"]

    @pytest.mark.parametrize(("text", "status"), [('{"a":1}', "completed"), ('{"a', "incomplete")])
    def test_call(self, text, status):
        call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""}
        events = passed(
            BEGIN,
            {"type": "response.output_item.added", "output_index": 0, "item": call},
            {
                "type": "response.function_call_arguments.delta",
                "item_id": "fc_1",
                "output_index": 0,
                "delta": text,
            },
            end(),
        )

        assert [event["type"] for event in events[-3:-1]] == [
            "response.function_call_arguments.done",
            "response.output_item.done",
        ]
        assert events[-1]["response"]["output"] == [{**call, "arguments": text, "status": status}]


class TestAnyEventsMissing:
    """Each subset of the events that announce and end a text."""

    OPTIONAL = [ADDED, PART_ADDED, *DELTAS[:1], TEXT_DONE, PART_DONE, ITEM_DONE]

    @pytest.mark.parametrize("left_out", range(2 ** len(OPTIONAL)))
    def test_client_gets_all_of_them_once(self, left_out):
        sent = [event for place, event in enumerate(self.OPTIONAL) if not left_out >> place & 1]
        if DELTAS[0] in sent:
            sent.insert(sent.index(DELTAS[0]) + 1, DELTAS[1])
        events = passed(BEGIN, *sent, end("completed", *([] if ITEM_DONE in sent else [FINISHED])))

        if ITEM_DONE in sent or DELTAS[0] in sent or not sent:
            check_stream(events, ["Half of it"])

    def test_part_of_the_item_only(self):
        item = {**FINISHED, "content": [*FINISHED["content"], {**PART, "text": "More"}]}
        events = passed(
            BEGIN, ADDED, PART_ADDED, *DELTAS, {**ITEM_DONE, "item": item}, end("completed", item)
        )

        assert [event["delta"] for event in events if event["type"].endswith(".delta")] == [
            "Half",
            " of it",
            "More",
        ]

    def test_upstream_without_numbers(self):
        events = passed(BEGIN, ADDED, *DELTAS, end(), numbered=False)

        assert not any("sequence_number" in event for event in events)
