from __future__ import annotations

from itertools import pairwise

import orjson
import pytest
import sseclient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import StreamEventTooLarge, UpstreamProtocolError
from app.streaming.events import DONE, Event
from app.streaming.sse import EventDecoder
from tests.support.examples import examples

CHAT = (
    b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"h\xc3\xa9llo"}}]}\n\n'
    b"data: [DONE]\n\n"
)
RESPONSES = (
    b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1"}}\n\n'
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","delta":"a\xe2\x80\xa8b"}\n\n'
    b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_1"}}\n\n'
)
ODD = (
    b"\xef\xbb\xbfretry: 10\r\n\r\n: ping\n\n"
    b'data:{"a":1}\r\rid: 7\rdata: {"b":\rdata: 2}\r\n\n'
    b'event: error\ndata: {"message":"x"}\n\r\ndata\n\ndata:\n\ndata:  \n\nevent: ping\n\n'
    b'event: message\ndata: {"c":"\xf0\x9f\x8e\x89\xc2\x85"}\n\n\n\n: bye\ndata: [DONE] \n\n'
)


def decode(*pieces: bytes, limit: int = 1 << 20) -> tuple[list[tuple[dict, bytes | None]], type | None]:
    """Return what the pieces decode to, and the type of the error."""
    decoder = EventDecoder(limit)
    events = [event for piece in pieces for event in decoder.decode_events(piece)] + decoder.flush()
    return [(event.payload, event.data) for event in events], type(decoder.error) if decoder.error else None


def payloads(stream: bytes) -> list[dict]:
    return [payload for payload, _ in decode(stream)[0]]


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


def cut(stream: bytes, marks: list[int]) -> list[bytes]:
    return [stream[a:b] for a, b in pairwise([0, *sorted(m % (len(stream) + 1) for m in marks), len(stream)])]


class TestFraming:
    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
    def test_line_ends(self, end):
        """LF, CR LF and CR end lines alike."""
        assert payloads(b"data: {}\n\ndata: [DONE]\n\n".replace(b"\n", end)) == [{}, {}]

    def test_mixed_line_ends(self):
        stream = (
            b'data: {"a":1}\n\ndata: {"b":1}\r\n\r\ndata: {"c":1}\r\rdata: {"d":1}\n\r\ndata: {"e":1}\r\n\n'
        )

        assert [next(iter(p)) for p in payloads(stream)] == list("abcde")

    def test_cr_and_lf_of_one_line_end_in_two_reads(self):
        """The CR ends the event at once; the LF that follows is not a second line end."""
        decoder = EventDecoder()

        assert len(decoder.decode_events(b"data: {}\r\n\r")) == 1
        assert decoder.decode_events(b"\ndata: {") == []
        assert len(decoder.decode_events(b"}\n\n")) == 1

    def test_blank_line_in_two_reads(self):
        decoder = EventDecoder()

        assert decoder.decode_events(b"data: {}\n") == []
        assert len(decoder.decode_events(b"\n")) == 1

    def test_only_cr_and_lf_end_lines(self):
        """U+2028, U+0085, form feed and similar characters are data within a line."""
        text = "a\u2028b\u2029c\u0085d"

        assert payloads(b"data: " + orjson.dumps({"t": text}) + b"\n\n") == [{"t": text}]

    def test_byte_order_mark(self):
        """One mark, at the very start, is not part of the first field name."""
        assert payloads(b"\xef\xbb\xbfdata: {}\n\n") == [{}]
        assert payloads(b"\n\xef\xbb\xbfdata: {}\n\n") == []

    def test_last_event_without_blank_line(self):
        assert payloads(b'data: {}\n\ndata: {"last":1}') == [{}, {"last": 1}]
        assert payloads(b'data: {"last":1}\r') == [{"last": 1}]

    def test_cut_off_event_is_not_an_error(self):
        """An event that the end cut off is dropped; the reader decides whether the stream is complete."""
        assert decode(b'data: {}\n\ndata: {"la') == ([({}, b"{}")], None)

    def test_nothing(self):
        assert decode(b"") == ([], None)
        assert decode(b"", b"\n", b"") == ([], None)


class TestFields:
    def test_data_lines_are_joined(self):
        """A joined payload is encoded again: its data was not on one line."""
        assert decode(b'data: {"a":\ndata:1}\n\n') == ([({"a": 1}, None)], None)

    def test_one_space_after_the_colon_is_not_data(self):
        assert decode(b'data:{"a":1}\n\ndata:  {"a":1}\n\n')[0] == [
            ({"a": 1}, b'{"a":1}'),
            ({"a": 1}, b' {"a":1}'),
        ]

    @pytest.mark.parametrize(
        "block",
        [
            b": ping",
            b":",
            b"id: 1",
            b"retry: 5",
            b"event: ping",
            b"data:",
            b"data",
            b"data:  ",
            b"what: {}",
            b"x",
        ],
    )
    def test_nothing_to_report(self, block):
        assert decode(block + b"\n\ndata: {}\n\n") == ([({}, b"{}")], None)

    @pytest.mark.parametrize("garbage", [b"\x00", b"\xff\xfe", "é".encode(), b"\x1b[0m", b"\x93\n"])
    def test_garbage(self, garbage):
        """Garbage may hide the event that follows, so it is an error, unlike an unknown field."""
        assert decode(b"data: {}\n\n" + garbage + b"data: {}\n\n") == ([({}, b"{}")], UpstreamProtocolError)

    def test_comment_within_an_event(self):
        assert payloads(b": a\ndata: {}\n: b\n\n") == [{}]

    def test_data_is_preserved(self):
        assert decode(b'data: { "a" : 1.50 }\n\n') == ([({"a": 1.5}, b'{ "a" : 1.50 }')], None)

    def test_done(self):
        events = EventDecoder().decode_events(b"data: {}\n\ndata: [DONE]\n\n")

        assert events[1] is DONE

    @pytest.mark.parametrize("line", [b"data: [DONE] ", b"data:[DONE]", b"event: done\ndata: [DONE]"])
    def test_done_spelt_otherwise(self, line):
        assert EventDecoder().decode_events(line + b"\n\ndata: {}\n\n")[0] is DONE


class TestType:
    def test_json_decides(self):
        assert payloads(b'event: a\ndata: {"type":"b"}\n\n') == [{"type": "b"}]

    def test_name_supplies_a_missing_type(self):
        """The forwarded event has the type, too."""
        [event] = EventDecoder().decode_events(b'event: error\ndata: {"message":"x"}\n\n')

        assert event.type == "error"
        assert orjson.loads(event.encoded()) == {"type": "error", "message": "x"}

    def test_name_does_not_outlive_its_event(self):
        assert payloads(b"event: a\n\ndata: {}\n\nevent: b\ndata: {}\n\ndata: {}\n\n") == [
            {},
            {"type": "b"},
            {},
        ]

    def test_message_is_no_name(self):
        assert payloads(b"event: message\ndata: {}\n\n") == [{}]


class TestFault:
    @pytest.mark.parametrize(
        "data",
        [
            b"oops",
            b'{"a":',
            b'{"a":1},{"b":2}',
            b"{}{}",
            b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
            b'{"a":' + b"[" * 100_000,
        ],
    )
    def test_not_json(self, data):
        """Events before the error are returned, later ones are not; the error is permanent."""
        decoder = EventDecoder()

        events = decoder.decode_events(b'data: {"n":1}\n\ndata: %b\n\ndata: {"n":2}\n\n' % data)

        assert [event.payload for event in events] == [{"n": 1}]
        assert isinstance(decoder.error, UpstreamProtocolError)
        assert decoder.decode_events(b"data: {}\n\n") == decoder.flush() == []
        assert isinstance(decoder.error, UpstreamProtocolError)

    def test_two_halves_do_not_make_an_event(self):
        assert decode(b'data: {"a":[1\n\ndata: 2]}\n\n') == ([], UpstreamProtocolError)

    def test_message_does_not_quote(self):
        decoder = EventDecoder()
        decoder.decode_events(b"data: my secret\n\n")

        assert decoder.error is not None
        assert "secret" not in decoder.error.message


def values(*pieces: bytes) -> tuple[list[dict], type | None]:
    events, error = decode(*pieces)
    return [payload for payload, _ in events], error


class TestTolerance:
    @pytest.mark.parametrize("data", [b"[1]", b'"text"', b"null", b"7", b"[]", b"NaN", b"[[{}]]"])
    def test_other_values_are_ignored(self, data):
        assert values(b'data: {"n":1}\n\ndata: %b\n\ndata: {"n":2}\n\n' % data) == (
            [{"n": 1}, {"n": 2}],
            None,
        )

    def test_failure_in_a_list_is_a_failure(self):
        assert values(b'data: [{"error":{"message":"no"}}]\n\n') == ([{"error": {"message": "no"}}], None)

    @pytest.mark.parametrize(
        ("data", "value"),
        [
            (b'"\xff"', "\ufffd"),
            (b"NaN", None),
            (b"-Infinity", None),
            (b"1e999", None),
            (b'"a\tb"', "a\tb"),
            (b'"\\ud83d"', "\ufffd"),
            (b'"\\ude00"', "\ufffd"),
            (b'"\\ud83d\\ude00"', "\U0001f600"),
            (b'"\\ud83dx"', "\ufffdx"),
            (b"[NaN," + b"9" * 30 + b"]", [None, float("9" * 30)]),
            (b"[NaN," + b"9" * 5000 + b"]", [None, None]),
        ],
    )
    def test_what_a_strict_parser_refuses(self, data, value):
        decoder = EventDecoder()
        events = decoder.decode_events(b'data: {"a":%b}\n\n' % data) + decoder.flush()

        assert [event.payload for event in events] == [{"a": value}]
        assert orjson.loads(events[0].encoded()) == {"a": value}

    def test_halves_in_consecutive_deltas_become_one_character(self):
        def chunk(text: str) -> bytes:
            return b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text.encode()

        for pieces in (
            [chunk("a\\ud83d") + chunk("\\ude00b") + chunk("c")],
            [chunk("a\\ud83d"), chunk("\\ude00b"), chunk("c")],
        ):
            payloads, error = values(*pieces)
            assert [one["choices"][0]["delta"]["content"] for one in payloads] == ["a\U0001f600", "b", "c"]
            assert error is None

    @pytest.mark.parametrize(
        ("after", "given"),
        [
            (b'data: {"type":"d","delta":"x"}\n\n', ["a\ufffd", "x"]),
            (b'data: {"type":"other","delta":"\\ude00"}\n\n', ["a\ufffd", "\ufffd"]),
            (b"", ["a\ufffd"]),
            (b"data: oops\n\n", ["a\ufffd"]),
        ],
    )
    def test_half_without_its_other(self, after, given):
        payloads, _ = values(b'data: {"type":"d","delta":"a\\ud83d"}\n\n', after)

        assert [one["delta"] for one in payloads] == given

    def test_end_does_not_pass_what_is_held(self):
        decoder = EventDecoder()
        events = decoder.decode_events(b'data: {"delta":"a\\ud83d"}\n\ndata: [DONE]\n\n')

        assert [event.payload for event in events] == [{"delta": "a\ufffd"}, {}]


class TestSize:
    EVENT = b'data: {"a":"%b"}' % (b"x" * 50)

    def test_at_the_limit(self):
        for pieces in ([self.EVENT + b"\n\n"], one_by_one(self.EVENT + b"\n\n")):
            assert len(decode(*pieces, limit=len(self.EVENT))[0]) == 1

    def test_over_the_limit(self):
        for pieces in (
            [b"data: {}\n\n" + self.EVENT + b"\n\n"],
            one_by_one(b"data: {}\n\n" + self.EVENT + b"\n\n"),
        ):
            assert decode(*pieces, limit=len(self.EVENT) - 1) == ([({}, b"{}")], StreamEventTooLarge)

    def test_not_buffered_until_its_end(self):
        """An endless event is refused when it outgrows the limit."""
        decoder = EventDecoder(100)
        for _ in range(11):
            decoder.decode_events(b"0123456789")

        assert isinstance(decoder.error, StreamEventTooLarge)

    def test_limit_is_per_event(self):
        assert len(decode(b"data: {}\n\n" * 100, limit=20)[0]) == 100

    def test_sixteen_mebibytes_are_taken(self):
        decoder = EventDecoder()
        piece = b"x" * 65536
        decoder.decode_events(b'data: {"a":"')
        for _ in range(255):
            decoder.decode_events(piece)

        [event] = decoder.decode_events(b'"}\n\n')
        assert len(event.payload["a"]) == 255 * 65536


SAMPLES = pytest.mark.parametrize(
    "stream", [CHAT, RESPONSES, ODD, CHAT + ODD, RESPONSES.replace(b"\n", b"\r\n")]
)

LINES = st.sampled_from(
    [
        b"data: {}",
        b'data: {"a":"\xc3\xa9"}',
        b'data: {"type":"x"}',
        b"data: [DONE]",
        b"data: 1",
        b"data:",
        b": c",
        b"event: e",
        *[b""] * 4,
    ]
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"]))).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


class TestCuts:
    @SAMPLES
    def test_byte_by_byte(self, stream):
        assert decode(*one_by_one(stream)) == decode(stream)

    @SAMPLES
    def test_every_cut(self, stream):
        complete = decode(stream)

        assert all(decode(stream[:i], stream[i:]) == complete for i in range(len(stream)))

    @settings(max_examples=examples(150))
    @given(STREAMS | st.binary(max_size=60), st.lists(st.integers(0, 5000), max_size=6), st.integers(8, 60))
    @example(b"data: {}\n\n\ndata: {}\n\n", [11], 8)
    @example(b"data: {}\n\n\ndata: {}\n\n", [11, 20], 8)
    def test_any_cuts_of_any_stream(self, stream, marks, limit):
        """The division into reads affects neither the events, nor the error, nor what counts as too large."""
        assert decode(*cut(stream, marks), limit=limit) == decode(stream, limit=limit)


class TestOracle:
    @settings(max_examples=examples(100))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([b"", b": note\n", b"event: e\n", b"id: 1\n"]),
                st.dictionaries(st.text(max_size=5), st.text(max_size=8) | st.integers(0, 9), max_size=3),
            ),
            max_size=8,
        ),
        st.sampled_from([b"\n", b"\r\n", b"\r"]),
    )
    def test_agrees_with_sseclient(self, blocks, end):
        """On streams of one kind of line end, which is where sseclient-py follows the specification."""
        stream = b"".join(head + b"data: " + orjson.dumps(body) + b"\n\n" for head, body in blocks)
        stream = stream.replace(b"\n", end)

        theirs = [orjson.loads(event.data) for event in sseclient.SSEClient(iter([stream])).events()]
        own = [{k: v for k, v in p.items() if k != "type"} for p in payloads(stream)]

        assert own == [{k: v for k, v in p.items() if k != "type"} for p in theirs]


def test_events_are_events():
    assert all(isinstance(event, Event) for event in EventDecoder().decode_events(CHAT))


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "payload"),
        [
            (b'error: {"code":400,"message":"no"}', {"type": "error", "code": 400, "message": "no"}),
            (b'error: {"error":{"message":"no"}}', {"type": "error", "error": {"message": "no"}}),
            (b"error: no", {"type": "error", "message": "no"}),
            (b"event: error\ndata: no", {"type": "error", "message": "no"}),
            (b'event: error\ndata: "no"', {"type": "error", "message": "no"}),
            (b"event: error\ndata: [no] way", {"type": "error", "message": "[no] way"}),
            (b'event: error\ndata: ["no"]', {"type": "error", "errors": ["no"]}),
            (b'event: error\ndata: [{"error":"no"}]', {"type": "error", "error": "no"}),
            (b"event: error\ndata: null", {"type": "error", "message": None}),
            (
                b'event: error\ndata: {"type":"server_error","message":"no"}',
                {"type": "error", "error": {"type": "server_error", "message": "no"}},
            ),
            (b'event: error\ndata: {"error":"no"}', {"type": "error", "error": "no"}),
            (b'event: error\ndata: {"type":"error","code":"x"}', {"type": "error", "code": "x"}),
        ],
    )
    def test_error_of_the_server(self, text, payload):
        [event] = EventDecoder().decode_events(text + b"\n\n")

        assert event.payload == payload

    def test_object_that_is_cut_off_has_no_words(self):
        assert decode(b'event: error\ndata: {"message":"no\n\n') == ([], UpstreamProtocolError)

    def test_error_field_next_to_data_is_ignored(self):
        [event] = EventDecoder().decode_events(b'error: x\ndata: {"a":1}\n\n')

        assert event.payload == {"a": 1}
