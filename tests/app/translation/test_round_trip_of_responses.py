"""
Chunks -> Responses events -> chunks preserves a response: text, refusal, calls, why it ended
and what it used.

Lost: choices other than the first, audio and annotations; which of several chunks had a
piece; a finish_reason that follows from the calls, since Responses has no field for it: it is `length`
where a function call ends inside its arguments, whatever the server's was.
"""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.streaming.events import DONE, Event
from app.streaming.fold_chat import ChatFold
from app.streaming.tool_arguments import is_cut
from app.translation.events.chat_to_responses import ChatToResponses
from app.translation.events.responses_to_chat import ResponsesToChat
from tests.support.examples import examples

FRAME = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
PIECES = st.lists(st.text(min_size=1, max_size=6), max_size=4)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["function", "custom"]),
            "name": st.text(min_size=1, max_size=6),
            "pieces": PIECES,
        }
    ),
    max_size=3,
)
USAGES = st.builds(
    lambda into, out, cached, thought: {
        "prompt_tokens": into + cached,
        "completion_tokens": out + thought,
        "total_tokens": into + cached + out + thought,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thought},
    },
    *(st.integers(0, 10**6) for _ in range(4)),
)


def chunk(delta: dict, finish: str | None = None) -> Event:
    return Event({**FRAME, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def called(index: int, call: dict) -> list[Event]:
    """Return a call's chunks: who is called, and then what with, piece by piece."""
    kind, payload = call["kind"], "arguments" if call["kind"] == "function" else "input"
    first = {"index": index, "id": f"call_{index}", "type": kind, kind: {"name": call["name"], payload: ""}}
    rest = [{"index": index, kind: {payload: piece}} for piece in call["pieces"]]
    return [chunk({"tool_calls": [one]}) for one in (first, *rest)]


USAGE = {
    "prompt_tokens": 1,
    "completion_tokens": 1,
    "total_tokens": 2,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
END = [chunk({}, "tool_calls"), Event({**FRAME, "choices": [], "usage": USAGE}), DONE]


@st.composite
def responses(draw) -> list[Event]:
    calls = draw(CALLS)
    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": piece}) for piece in draw(PIECES)]
    events += [chunk({"refusal": piece}) for piece in draw(PIECES)]
    events += [event for index, call in enumerate(calls) for event in called(index, call)]
    ends = ["tool_calls" if calls else "stop", "length", "content_filter"]
    events.append(chunk({}, draw(st.sampled_from(ends))))
    return [*events, Event({**FRAME, "choices": [], "usage": draw(USAGES)}), DONE]


def summary(events: list[Event]) -> dict:
    """Return the content of a response, independent of its division into chunks."""
    fold = ChatFold()
    for event in events:
        if event is not DONE:
            fold.add_event(event.payload)
    complete = fold.result()
    (choice,) = complete["choices"]
    message = choice["message"]
    return {
        "content": message.get("content") or "",
        "refusal": message.get("refusal") or "",
        # A custom call is sent when it is whole, so calls that follow it may be sent first.
        "calls": sorted(message.get("tool_calls") or [], key=lambda call: call["id"]),
        "finish_reason": choice["finish_reason"],
        "usage": complete["usage"],
    }


def has_cut_arguments(call: dict) -> bool:
    return call["type"] == "function" and is_cut(call["function"]["arguments"])


@settings(max_examples=examples(150), deadline=None)
@example([*called(0, {"kind": "function", "name": "f", "pieces": ['"']}), *END], 1)
@given(responses(), st.integers(1, 5))
def test_model_responses(events, at_a_time):
    there = ChatToResponses("resp_1", 1, {"model": "m"})
    back = ResponsesToChat("chatcmpl-2", 1, "m", include_usage=True)
    out = []
    for start in range(0, len(events), at_a_time):
        out += back.translate(there.translate(events[start : start + at_a_time]))
    out += back.translate(there.finish()) + back.finish()

    expected = summary(events)
    if expected["finish_reason"] == "tool_calls" and any(map(has_cut_arguments, expected["calls"])):
        expected["finish_reason"] = "length"
    assert summary(out) == expected
