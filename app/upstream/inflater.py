"""
Decompress the bodies of responses. Some upstreams compress although only `identity` is accepted.

Source: https://www.rfc-editor.org/rfc/rfc1952#section-2.2 (a gzip file is a series of members)
"""

from __future__ import annotations

import zlib

from app.errors import UpstreamProtocolError

GZIP_BITS = 16 + zlib.MAX_WBITS
WINDOW_BITS = {"gzip": GZIP_BITS, "x-gzip": GZIP_BITS, "deflate": zlib.MAX_WBITS}
MEMBER_START = b"\x1f\x8b"
MAX_MEMBERS = 1000  # of one read: empty ones take time, and contain nothing


class Inflater:
    """
    Decompresses one body, given in pieces of any size.

    `is_bomb` is true once a piece has become more than allowed. What follows the last member is ignored.
    """

    def __init__(self, window_bits: int) -> None:
        self.is_bomb = False
        self._window_bits = window_bits
        self._member = zlib.decompressobj(window_bits)
        self._has_begun = False
        self._has_rest = False  # that is no member

    @property
    def is_complete(self) -> bool:
        """Whether the compressed data may end here."""
        return self._member.eof or not self._has_begun

    def inflate(self, data: bytes, max_bytes: int) -> bytes:
        """Return what *data* becomes, at most *max_bytes*. Raises UpstreamProtocolError for other data."""
        pieces: list[bytes] = []
        while data and not self._has_rest:
            self._has_begun = True
            try:
                pieces.append(self._member.decompress(data, max_bytes))
            except zlib.error as error:
                raise UpstreamProtocolError("The upstream's response could not be decompressed") from error
            max_bytes -= len(pieces[-1])
            if self._member.unconsumed_tail or max_bytes <= 0 or len(pieces) > MAX_MEMBERS:
                self.is_bomb = bool(self._member.unconsumed_tail or self._member.unused_data)
                break
            data = self._next_member()
        return b"".join(pieces)

    def _next_member(self) -> bytes:
        """Return the data of the next member, and prepare for it; b"" if there is none yet."""
        data = self._member.unused_data
        if not data:
            return b""
        if self._window_bits != GZIP_BITS or data[:2] != MEMBER_START[: len(data)]:
            self._has_rest = True
            return b""
        self._member = zlib.decompressobj(self._window_bits)
        return data


def inflater_for(encoding: str) -> Inflater | None:
    """Return the inflater for a Content-Encoding, None for none. Raises UpstreamProtocolError."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in WINDOW_BITS:
        raise UpstreamProtocolError(f"The upstream answered with the unknown encoding '{encoding[:40]}'")
    return Inflater(WINDOW_BITS[name])
