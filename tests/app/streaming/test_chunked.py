from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import UpstreamProtocolError
from app.streaming.chunked import MAX_LINE_BYTES, MAX_TRAILERS_BYTES, ChunkedDecoder
from tests.support.examples import examples

BODY = (
    b'5\r\nhello\r\nA;name=value;q="x"\r\n, wo\r\nrld!\r\n1 ; x\r\n!\r\n'
    b"000\r\nExpires: never\r\nX-T: \r\n\r\nHTTP/1.1"
)


def decode(*pieces: bytes) -> tuple[bytes, bool, bytes]:
    decoder = ChunkedDecoder()
    content = b"".join([decoder.decode_chunks(piece) for piece in pieces])
    return content, decoder.done, decoder.rest


class TestContent:
    def test_chunks_extensions_trailers_rest(self):
        assert decode(BODY) == (b"hello, wo\r\nrld!!", True, b"HTTP/1.1")

    def test_empty_body(self):
        assert decode(b"0\r\n\r\n") == (b"", True, b"")

    def test_upper_and_lower_case(self):
        assert decode(b"a\r\n0123456789\r\nB\r\n0123456789a\r\n")[0] == b"01234567890123456789a"

    def test_content_is_not_held_back(self):
        """What arrived of a chunk is returned before its end."""
        decoder = ChunkedDecoder()

        assert decoder.decode_chunks(b"ff\r\nab") == b"ab"
        assert decoder.decode_chunks(b"cd") == b"cd"

    def test_not_done_before_the_last_line_end(self):
        for end in range(1, 5):
            assert decode(b"1\r\nx\r\n0\r\n\r\n"[:-end]) == (b"x", False, b"")

    def test_rest_grows(self):
        assert decode(b"0\r\n\r\na", b"b", b"c") == (b"", True, b"abc")


class TestCuts:
    def test_byte_by_byte(self):
        assert decode(*[BODY[i : i + 1] for i in range(len(BODY))]) == decode(BODY)

    def test_every_cut(self):
        assert all(decode(BODY[:i], BODY[i:]) == decode(BODY) for i in range(len(BODY)))

    @settings(max_examples=examples(100))
    @given(
        st.lists(st.binary(min_size=1, max_size=40), max_size=8),
        st.sampled_from([b"", b";a=b", b" \t;x"]),
        st.sampled_from([b"", b"T: 1\r\n", b"T: 1\r\nU: 2\r\n"]),
        st.lists(st.integers(0, 400), max_size=8),
    )
    def test_any_cuts_of_any_body(self, chunks, extension, trailers, marks):
        framed = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
        framed += b"0\r\n" + trailers + b"\r\nrest"
        ends = sorted(min(mark, len(framed)) for mark in marks)

        pieces = [framed[a:b] for a, b in pairwise([0, *ends, len(framed)])]

        assert decode(*pieces) == (b"".join(chunks), True, b"rest")


class TestNoFraming:
    @pytest.mark.parametrize(
        "data",
        [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\na",
            b"0x1\r\na",
            b"1_0\r\n",
            b" 1\r\na",
            b"1 2\r\na",
            b";\r\n",
            b"11111111111111111\r\n",
            b"2\r\nabc\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n1\r\n",
            b"1\r\na\r1\r\n",
            b"1\r\na\r\n\r\n",
            b'{"error": "not chunked"}\r\n',
        ],
    )
    def test_refused_however_it_is_cut(self, data):
        for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
            with pytest.raises(UpstreamProtocolError):
                decode(*pieces)

    @pytest.mark.parametrize(
        "data",
        [
            b"1" + b";" + b"x" * MAX_LINE_BYTES,
            b"1" + b";" + b"x" * MAX_LINE_BYTES + b"\r\na",
            b"0\r\n" + b"a: b\r\n" * (MAX_TRAILERS_BYTES // 4 + 1),
            b"0\r\n" + b"x" * (MAX_TRAILERS_BYTES + 1),
        ],
    )
    def test_endless_lines(self, data):
        with pytest.raises(UpstreamProtocolError):
            decode(*[data[i : i + 1000] for i in range(0, len(data), 1000)])
