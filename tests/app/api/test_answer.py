"""How the two surfaces frame what is not the upstream's own."""

from __future__ import annotations

import orjson

from app.api.answer import CodexSurface, ResponsesSurface
from app.streaming.events import Event


def number_of(frame: bytes) -> int:
    number: int = orjson.loads(frame.partition(b"data: ")[2])["sequence_number"]
    return number


class TestResponsesSurface:
    def test_a_keepalive_takes_no_number_from_the_events_that_follow(self) -> None:
        """Whoever counts on from the event before it must not miss, or meet twice, the one after it."""
        surface = ResponsesSurface()
        surface.frames(
            [Event({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}})]
        )

        frames = surface.keepalive(), surface.keepalive()

        assert [number_of(frame) for frame in frames] == [0, 0]

    def test_before_the_response_is_created_it_is_a_comment(self) -> None:
        assert ResponsesSurface().keepalive().startswith(b":")


class TestCodexSurface:
    def test_a_keepalive_is_an_event_of_its_own_once_there_is_a_response(self) -> None:
        """Codex counts events, not comments, to know that it is still answered."""
        surface = CodexSurface()
        assert surface.keepalive().startswith(b":")
        surface.frames([Event({"type": "response.created", "response": {"id": "resp_1"}})])

        assert surface.keepalive().startswith(b"event: codex.keepalive\ndata: {")
        assert surface.end() == b"data: [DONE]\n\n"
