"""A cut stream is continued only if the new response begins with exactly what was delivered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ResponsesDiffer
from app.streaming.events import Event
from app.streaming.fold_chat import ChatFold
from app.streaming.fold_responses import ResponsesFold
from app.translation.resume.delivered import ResumedStream, delivered_for

Json = dict[str, Any]


def chat(text: str, identity: str = "a", usage: bool = False) -> list[Json]:
    head = {"id": identity, "object": "chat.completion.chunk", "created": 1, "model": f"m-{identity}"}

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    made = [chunk({"role": "assistant", "content": ""})]
    made += [chunk({"content": piece}) for piece in pieces(text)]
    made.append(chunk({}, "stop"))
    return [*made, {**head, "choices": [], "usage": {"total_tokens": 3}}] if usage else made


def responses(text: str, identity: str = "a", thoughts: bool = False) -> list[Json]:
    item = {"id": f"msg_{identity}", "type": "message", "role": "assistant", "content": []}
    at = {"item_id": item["id"], "output_index": int(thoughts), "content_index": 0}
    part = {"type": "output_text", "text": text, "annotations": []}
    complete = {**item, "content": [part]}
    response = {"id": f"resp_{identity}", "object": "response"}
    made: list[Json] = [{"type": "response.created", "response": response}]
    output: list[Json] = []
    if thoughts:
        thought = {"id": f"rs_{identity}", "type": "reasoning", "summary": []}
        made += [
            {"type": "response.output_item.added", "output_index": 0, "item": thought},
            {"type": "response.output_item.done", "output_index": 0, "item": thought},
        ]
        output.append(thought)
    made += [
        {"type": "response.output_item.added", "output_index": int(thoughts), "item": item},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **at, "delta": piece} for piece in pieces(text)),
        {"type": "response.output_text.done", **at, "text": text},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": int(thoughts), "item": complete},
        {
            "type": "response.completed",
            "response": {**response, "status": "completed", "output": [*output, complete]},
        },
    ]
    return [{**payload, "sequence_number": number} for number, payload in enumerate(made)]


def tokens(*texts: str) -> list[Json]:
    """Return log probabilities of *texts*."""
    return [{"token": text, "logprob": -1.5, "bytes": list(text.encode())} for text in texts]


def pieces(text: str, size: int = 3) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def continued(endpoint: str, first: list[Json], cut_at: int, second: list[Json]) -> list[Json]:
    """Return what the client receives when *first* is cut and *second* continues it."""
    delivered = delivered_for(endpoint)
    head = [Event(payload) for payload in first[:cut_at]]
    delivered.record(head)
    assert delivered.resumable
    return [
        *first[:cut_at],
        *(event.payload for event in ResumedStream(delivered).skip_delivered(list(map(Event, second)))),
    ]


class TestChat:
    @given(st.text(max_size=30), st.data())
    def test_is_one_response_wherever_it_was_cut(self, text: str, data: st.DataObject) -> None:
        first, second = chat(text), chat(text, "b", usage=True)
        cut_at = data.draw(st.integers(0, len(first) - 1))

        got = continued("chat", first, cut_at, second)

        fold = ChatFold()
        for payload in got:
            fold.add_event(payload)
        assert (fold.result()["choices"][0]["message"]["content"] or "") == text
        assert len({payload["id"] for payload in got}) == 1
        if cut_at:
            assert sum("role" in (p["choices"] or [{"delta": {}}])[0]["delta"] for p in got) == 1

    def test_log_probabilities_are_cut_with_the_text(self) -> None:
        """Of what was delivered, the client has them; the chunk in which the rest begins has only its own."""
        first, second = chat("Hello there"), chat("Hello there", "b")
        second[1:3] = [second[1]]  # one chunk with "Hel", and "lo" and " there" in the next
        second[2]["choices"][0] |= {"delta": {"content": "lo there"}}
        second[2]["choices"][0]["logprobs"] = {"content": tokens("l", "o", " th", "ere"), "refusal": None}

        got = continued("chat", first, 3, second[:3])

        [rest] = [chunk["choices"][0] for chunk in got[3:]]
        assert rest["delta"] == {"content": "there"}
        assert rest["logprobs"] == {"content": tokens("ere"), "refusal": None}

    @pytest.mark.parametrize("other", ["Hellp there", "Hel", "", "hello"])
    def test_a_response_that_differs_is_not_continued(self, other: str) -> None:
        with pytest.raises(ResponsesDiffer):
            continued("chat", chat("Hello there"), 3, chat(other, "b"))

    def test_a_tool_call_is_never_resumed(self) -> None:
        delivered = delivered_for("chat")
        call = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c"}]}}]}
        delivered.record([Event(call)])

        assert not delivered.resumable

    def test_a_tool_call_instead_of_text_differs(self) -> None:
        call = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c"}]}}]}
        with pytest.raises(ResponsesDiffer):
            continued("chat", chat("Hello"), 2, [call])


class TestResponses:
    @given(st.text(min_size=1, max_size=30), st.data(), st.booleans())
    def test_is_one_response_wherever_it_was_cut(
        self, text: str, data: st.DataObject, thoughts: bool
    ) -> None:
        first, second = responses(text), responses(text, "b", thoughts)
        ends = next(n for n, payload in enumerate(first) if payload["type"] == "response.output_text.done")
        cut_at = data.draw(st.integers(4, ends))

        got = continued("responses", first, cut_at, second)

        fold = ResponsesFold()
        for payload in got:
            fold.add_event(payload)
        result = fold.result()
        assert "".join(payload.get("delta", "") for payload in got) == text
        assert (result["id"], [item["id"] for item in result["output"]]) == ("resp_a", ["msg_a"])
        assert [payload["sequence_number"] for payload in got] == list(range(len(got)))
        assert {payload["item_id"] for payload in got if "item_id" in payload} == {"msg_a"}
        assert {payload.get("output_index", 0) for payload in got} == {0}

    def test_log_probabilities_are_cut_with_the_text(self) -> None:
        first, second = responses("Hello there"), responses("Hello there", "b")
        second[3] |= {"delta": "Hello t", "logprobs": tokens("Hel", "lo", " t")}
        second[4] |= {"delta": "here", "logprobs": tokens("here")}

        got = continued("responses", first, 5, second[:5])

        assert [(event["delta"], event["logprobs"]) for event in got[5:]] == [
            (" t"[1:], []),
            ("here", tokens("here")),
        ]

    @pytest.mark.parametrize("other", ["Hellp there", "Hel"])
    def test_a_response_that_differs_is_not_continued(self, other: str) -> None:
        with pytest.raises(ResponsesDiffer):
            continued("responses", responses("Hello there"), 5, responses(other, "b"))

    @pytest.mark.parametrize("kind", ["function_call", "reasoning"])
    def test_what_cannot_be_compared_is_never_resumed(self, kind: str) -> None:
        delivered = delivered_for("responses")
        delivered.record([Event({"type": "response.output_item.added", "item": {"type": kind}})])

        assert not delivered.resumable
