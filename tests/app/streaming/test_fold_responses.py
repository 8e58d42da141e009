from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import orjson
import pytest

from app.errors import StreamIncomplete
from app.streaming.fold_responses import ResponsesFold
from app.streaming.sse import EventDecoder

FOLDS = Path(__file__).parent / "folds"


def fold(*payloads: dict) -> dict:
    fold = ResponsesFold()
    for payload in payloads:
        fold.add_event(payload)
    return fold.result()


def decoded(path: Path) -> list[dict]:
    return [event.payload for event in EventDecoder().decode_events(path.read_bytes())]


@pytest.mark.parametrize("path", sorted(FOLDS.glob("*.responses.sse")), ids=lambda path: path.name)
class TestFiles:
    def test_folds_to_its_pair(self, path):
        assert fold(*decoded(path)) == orjson.loads(path.with_suffix(".json").read_bytes())

    def test_events_are_not_changed(self, path):
        payloads = decoded(path)
        before = deepcopy(payloads)
        fold(*payloads)

        assert payloads == before

    def test_no_response_without_its_end(self, path):
        cut = [
            payload
            for payload in decoded(path)
            if payload["type"].rpartition(".")[2] not in ("completed", "incomplete")
        ]

        with pytest.raises(StreamIncomplete):
            fold(*cut)


class TestResult:
    @pytest.mark.parametrize("response", [None, 5, {}, {"output": None}, {"output": []}])
    def test_what_every_response_has(self, response):
        assert fold({"type": "response.completed", "response": response}) == {
            "object": "response",
            "output": [],
            "usage": None,
            "error": None,
        }

    def test_output_of_the_end_stands(self):
        """The streamed items are never added to the output of the terminal event."""
        done = {"type": "response.output_item.done", "output_index": 0, "item": {"id": "streamed"}}
        end = {"type": "response.completed", "response": {"output": [{"id": "told"}]}}

        assert fold(done, end)["output"] == [{"id": "told"}]

    @pytest.mark.parametrize(
        "payload",
        [
            {},
            {"type": "response.output_item.done", "output_index": 0, "item": None},
            {"type": "response.output_item.added", "output_index": "x", "item": 5},
            {"type": "response.output_text.delta", "output_index": None, "delta": 5},
            {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": None},
            {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": "{}"},
        ],
    )
    def test_odd_events(self, payload):
        assert fold(payload, {"type": "response.completed", "response": {}})["output"] == []
