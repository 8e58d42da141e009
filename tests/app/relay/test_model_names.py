"""Responses carry the name that the caller used, in every form of a body."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.relay.model_names import renamed, renamed_event, with_model_name
from app.streaming.events import DONE, Event, UnstreamedResponse


def rename(*batches: Any, is_event_stream: bool = False) -> list[Any]:
    return list(renamed((batch for batch in batches), "fast", lambda: is_event_stream))


class TestEvents:
    @pytest.mark.parametrize(
        ("payload", "expected"),
        [
            ({"model": "m", "choices": []}, {"model": "fast", "choices": []}),
            ({"response": {"model": "m", "id": "r"}}, {"response": {"model": "fast", "id": "r"}}),
            ({"response": {"id": "r"}}, {"response": {"id": "r"}}),
            ({"delta": "model"}, {"delta": "model"}),
        ],
    )
    def test_model(self, payload: dict[str, Any], expected: dict[str, Any]) -> None:
        event = Event(payload, orjson.dumps(payload))

        assert orjson.loads(renamed_event(event, "fast").encoded()) == expected

    def test_nothing_else_changes(self) -> None:
        """Events without a model, the end of a stream and keep-alives are passed on unchanged."""
        plain = Event({"delta": "x"}, b'{"delta": "x"}')

        ((first, last), none) = rename([plain, DONE], None)
        assert (first is plain, last is DONE, none) == (True, True, None)

    def test_an_object(self) -> None:
        event = renamed_event(UnstreamedResponse({"model": "m"}), "fast")

        assert (type(event), event.payload) == (UnstreamedResponse, {"model": "fast"})

    def test_closing(self) -> None:
        """Closing the renamed response ends the original one, so that it is settled."""
        closed = []

        def batches() -> Any:
            try:
                yield [DONE]
                yield [DONE]
            finally:
                closed.append(True)

        stream: Any = renamed(batches(), "fast", lambda: False)
        next(stream)
        stream.close()

        assert closed == [True]


class TestBodies:
    def test_json(self) -> None:
        """Numbers stay as they are written."""
        assert rename([b' {"data": [1.10, 1E-5], "model" : "m\\"", "x": 1}']) == [
            [b' {"data": [1.10, 1E-5], "model" : "fast", "x": 1}']
        ]

    def test_text_in_json(self) -> None:
        """Text that looks like a field is text."""
        body = orjson.dumps({"text": 'so "model": "m"'})

        assert rename([body]) == [[body]]

    def test_events_in_pieces(self) -> None:
        body = b'data: {"model":"m","n":1}\n\ndata: {"model":"m"}'
        pieces = [[body[at : at + 1]] for at in range(len(body))]

        received = b"".join(batch[0] for batch in rename(*pieces, is_event_stream=True) if batch)

        assert received == b'data: {"model":"fast","n":1}\n\ndata: {"model":"fast"}'

    def test_sound(self) -> None:
        assert rename([b"RIFF\x00", b"{"], [b"more"]) == [[b"RIFF\x00", b"{"], [b"more"]]


def test_other_fields_of_a_form() -> None:
    pieces, place = with_model_name([bytearray(b"<fast>file")], (1, 5), "modèle")
    assert (b"".join(pieces), place) == ("<modèle>file".encode(), (1, 8))

    pieces, place = with_model_name(pieces, place, "m")
    assert (b"".join(pieces), place) == (b"<m>file", (1, 2))
