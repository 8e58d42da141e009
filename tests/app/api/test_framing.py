"""How each protocol frames what the gateway itself sends."""

from __future__ import annotations

import orjson

from app.api.framing import CodexFraming, ResponsesFraming
from app.streaming.events import Event


def number_of(frame: bytes) -> int:
    number: int = orjson.loads(frame.partition(b"data: ")[2])["sequence_number"]
    return number


class TestResponsesFraming:
    def test_a_keepalive_takes_no_number_from_the_events_that_follow(self) -> None:
        """A client that counts event numbers neither misses nor repeats the event after a keep-alive."""
        framing = ResponsesFraming()
        framing.frames(
            [Event({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}})]
        )

        frames = framing.keepalive(), framing.keepalive()

        assert [number_of(frame) for frame in frames] == [0, 0]

    def test_before_the_response_is_created_it_is_a_comment(self) -> None:
        assert ResponsesFraming().keepalive().startswith(b":")


class TestCodexFraming:
    def test_a_keepalive_is_an_event_of_its_own_once_there_is_a_response(self) -> None:
        """Codex counts events, not comments, to know that it is still answered."""
        framing = CodexFraming()
        assert framing.keepalive().startswith(b":")
        framing.frames([Event({"type": "response.created", "response": {"id": "resp_1"}})])

        assert framing.keepalive().startswith(b"event: codex.keepalive\ndata: {")
        assert framing.end() == b"data: [DONE]\n\n"
