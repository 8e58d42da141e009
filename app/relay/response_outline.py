"""
Shorten a large JSON response to what the gateway reads: its usage, texts and names.

Embeddings are millions of numbers, and images megabytes of Base64: parsing them would delay other requests by
more than a second. They are left out before parsing, in windows between which other requests run.
"""

from __future__ import annotations

import re

from app.yielding import end_turn

SHORTENED_FROM_BYTES = 2 * 1024 * 1024  # shorter responses are parsed within 40 ms
WINDOW_BYTES = 256 * 1024  # about 1 ms of work
MAX_VALUES = 1_000_000  # most values in an outline; OpenAI's largest list of embeddings leaves 15,000

_NUMBERS = re.compile(rb"\[[-+.,0-9eE\s]*+\]")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_"
_EDGE_BYTES = 8  # retained at both edges of a window of Base64: an escape sequence may span them


def outline(data: bytes) -> bytes:
    """
    Return the JSON *data* without arrays of numbers and without most of its Base64; short data unchanged.

    Only for reading: the numbers are not checked, and strings may be shortened as well. Raises ValueError for
    too many values.
    """
    if len(data) < SHORTENED_FROM_BYTES:
        return data
    pieces, at = [], 0
    while at < len(data):
        end = min(at + WINDOW_BYTES, len(data))
        closed = data.find(b"]", end, end + WINDOW_BYTES)  # extend the window to the end of an array
        end = closed + 1 if closed >= 0 else end
        pieces.append(_shortened(data[at:end]))
        at = end
        end_turn()
    result = b"".join(pieces)
    if result.count(b",") > MAX_VALUES:
        raise ValueError("too many values")
    return result


def _shortened(piece: bytes) -> bytes:
    if not piece.translate(None, _BASE64):
        return piece[:_EDGE_BYTES] + piece[-_EDGE_BYTES:]
    return _NUMBERS.sub(b"[]", piece)
