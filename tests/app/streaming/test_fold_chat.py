from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import orjson
import pytest

from app.streaming.fold_chat import ChatFold
from app.streaming.sse import EventDecoder

FOLDS = Path(__file__).parent / "folds"


def fold(*payloads: dict) -> dict:
    fold = ChatFold()
    for payload in payloads:
        fold.add_event(payload)
    return fold.result()


def decoded(path: Path) -> list[dict]:
    return [event.payload for event in EventDecoder().decode_events(path.read_bytes())]


def delta(**delta: object) -> dict:
    return {"choices": [{"index": 0, "delta": delta}]}


@pytest.mark.parametrize("path", sorted(FOLDS.glob("*.chat.sse")), ids=lambda path: path.name)
class TestFiles:
    def test_folds_to_its_pair(self, path):
        assert fold(*decoded(path)) == orjson.loads(path.with_suffix(".json").read_bytes())

    def test_chunks_are_not_changed(self, path):
        payloads = decoded(path)
        before = deepcopy(payloads)
        fold(*payloads)

        assert payloads == before


class TestMessage:
    def test_calls_stand_in_their_order(self):
        """Calls may arrive out of order."""
        later = {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}
        first = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}
        message = fold(delta(tool_calls=[later]), delta(tool_calls=[first]))["choices"][0]["message"]

        assert [call["id"] for call in message["tool_calls"]] == ["a", "b"]

    def test_content_is_null_only_with_other_output(self):
        for instead in (
            {"refusal": "no"},
            {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]},
            {"function_call": {"name": "f"}},
            {"audio": {"id": "a"}},
        ):
            assert fold(delta(content="", **instead))["choices"][0]["message"]["content"] is None

        assert fold(delta(content=None))["choices"][0]["message"]["content"] == ""

    def test_content_with_a_call_stays(self):
        message = fold(delta(content="I look", tool_calls=[{"index": 0, "id": "c"}]))["choices"][0]["message"]

        assert message["content"] == "I look"
        assert message["tool_calls"] == [{"id": "c"}]

    def test_no_calls_no_key(self):
        assert "tool_calls" not in fold(delta(content="a", tool_calls=[]))["choices"][0]["message"]

    def test_finish_reason_is_not_invented(self):
        assert fold(delta(content="a"))["choices"][0]["finish_reason"] is None

    def test_kind_of_content_may_change(self):
        """Mistral thinks in parts, then answers in text."""
        parts = [{"type": "thinking", "thinking": []}]

        assert fold(delta(content=parts), delta(content="a"), delta(content="b"))["choices"][0]["message"][
            "content"
        ] == ("ab")


class TestTop:
    def test_the_first_reported_id(self):
        result = fold({"id": "", "model": ""}, {"id": "a", "model": "m"}, {"id": "b"})

        assert (result["id"], result["model"]) == ("a", "m")

    def test_last_usage_stands(self):
        assert fold({"usage": {"n": 1}}, {"usage": {"n": 2}}, {"usage": None})["usage"] == {"n": 2}

    def test_nothing(self):
        assert fold() == fold({}) == {"object": "chat.completion", "choices": []}

    @pytest.mark.parametrize(
        "choices", [None, 5, [None], [{"index": "x", "delta": 5, "logprobs": [], "message": 1}]]
    )
    def test_odd_choices(self, choices):
        assert fold({"choices": choices})["object"] == "chat.completion"

    def test_long_responses_are_joined_once(self):
        """Sixty thousand chunks take no time that grows with their square."""
        assert (
            len(fold(*[delta(content="0123456789")] * 60_000)["choices"][0]["message"]["content"]) == 600_000
        )
