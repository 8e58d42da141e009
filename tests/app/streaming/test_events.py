from __future__ import annotations

from app.streaming.events import DONE, Event


class TestEvent:
    def test_untouched_data_is_sent_as_it_came(self):
        """Spacing, key order and escapes of the upstream survive."""
        event = Event({"a": 1}, b'{ "a" : 1 }')

        assert event.encoded() == b'{ "a" : 1 }'

    def test_made_here_is_encoded_on_one_line(self):
        event = Event({"type": "x", "delta": "line\nline\u2028"})

        assert event.encoded() == '{"type":"x","delta":"line\\nline\u2028"}'.encode()

    def test_type(self):
        assert Event({"type": "response.created"}).type == "response.created"
        assert Event({"object": "chat.completion.chunk"}).type == ""
        assert Event({"type": 7}).type == ""

    def test_repr_does_not_leak_content(self):
        assert "secret" not in repr(Event({"type": "response.output_text.delta", "delta": "secret"}))

    def test_done_is_the_sentinel(self):
        assert DONE.payload == {}
        assert DONE.encoded() == b"[DONE]"
