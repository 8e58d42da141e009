"""
Decode HTTP/1.1 chunked framing.

Source: https://www.rfc-editor.org/rfc/rfc9112#name-chunked-transfer-coding
"""

from __future__ import annotations

import re
from functools import lru_cache

from app.errors import UpstreamProtocolError

MIN_SIZE_BYTES = len(b"0\r\n")  # the shortest line with a chunk size
MAX_LINE_BYTES = 8192  # a chunk size with its extensions, or one trailer
MAX_TRAILERS_BYTES = 65536

# Sixteen digits reach 2^64. The line end after a chunk is matched together with the next size.
_FIRST_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*+(?:;[^\r\n]*+)?+\r\n")
_NEXT_SIZE = re.compile(rb"\r\n" + _FIRST_SIZE.pattern)
_CRLF = b"\r\n"


class ChunkedDecoder:
    """
    Decodes one body, given in pieces of any size.

    `done` is true once the last chunk and its trailers have been read; `rest` holds the bytes
    after them. Extensions and trailers are ignored.
    """

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self._size = _FIRST_SIZE
        self._left = 0  # remaining bytes of the current chunk
        self._line = b""  # an incomplete size or trailer
        self._in_trailers = False
        self._trailers_bytes = 0

    def decode_chunks(self, data: bytes) -> bytes:
        """Return the content in *data*. Raises UpstreamProtocolError if the framing is invalid."""
        if self.done:
            self.rest += data
            return b""
        if self._left > len(data):  # *data* is within a large chunk
            self._left -= len(data)
            return data
        if self._line:
            data, self._line = self._line + data, b""
        elif self._size is _FIRST_SIZE and not self._in_trailers and (content := _only_chunk(data)):
            return content
        pieces: list[bytes] = []
        at = 0 if self._in_trailers else self._read_chunks(data, pieces)
        if self._in_trailers:
            self._read_trailers(data[at:])
        return b"".join(pieces)

    def _read_chunks(self, data: bytes, pieces: list[bytes]) -> int:
        """Append the content of chunks to *pieces*; return the position in *data* where they end."""
        size, end, length = self._size, self._left, len(data)
        if end:
            pieces.append(data[:end])
        while length - end >= MIN_SIZE_BYTES:  # runs for every event, so it uses local names only
            match = size.match(data, end)
            if match is None:
                break
            at = match.end()
            if at - end > MAX_LINE_BYTES:
                raise _too_long()
            size = _NEXT_SIZE
            left = int(match[1], 16)
            if not left:
                self._left = 0
                self._in_trailers = True
                return at
            end = at + left
            pieces.append(data[at:end])
        self._size = size
        if end > length:
            self._left = end - length
        else:
            self._left = 0
            self._store_partial_size(data[end:])
        return length

    def _store_partial_size(self, line: bytes) -> None:
        if line == b"\r\n" and self._size is _NEXT_SIZE:  # the usual end of a read: a chunk is complete
            self._size = _FIRST_SIZE  # its line end has been read
            return
        if self._size is _NEXT_SIZE:
            start, number = line[:2], line[2:]
            if not b"\r\n".startswith(start):
                raise UpstreamProtocolError("A chunk of the upstream's response is longer than its size")
        else:
            number = line
        if b"\r\n" in number:
            raise UpstreamProtocolError("The upstream sent a chunk without a proper size")
        self._check_length(len(line), MAX_LINE_BYTES)
        self._line = line

    def _read_trailers(self, data: bytes) -> None:
        *lines, self._line = data.split(b"\r\n")
        for number, line in enumerate(lines):
            if not line:
                self.done = True
                self.rest, self._line = b"\r\n".join((*lines[number + 1 :], self._line)), b""
                return
            self._trailers_bytes += len(line)
        self._check_length(self._trailers_bytes + len(self._line), MAX_TRAILERS_BYTES)

    def _check_length(self, length: int, max_length: int) -> None:
        if length > max_length:
            raise _too_long()


def _only_chunk(data: bytes) -> bytes:
    """Return the content of *data* if it is one complete chunk, as in a slow stream; b"" otherwise."""
    head = _head_of(len(data))
    if head is None or data[: len(head)].upper() != head or not data.endswith(_CRLF):
        return b""
    return data[len(head) : -len(_CRLF)]


@lru_cache(maxsize=1024)
def _head_of(length: int) -> bytes | None:
    """Return the size line, in capitals, of a chunk that takes *length* bytes; None if it needs a zero."""
    for digits in range(1, len(b"%X" % length) + 1):
        size = length - digits - 2 * len(_CRLF)
        if size > 0 and len(number := b"%X" % size) == digits:
            return number + _CRLF
    return None


def _too_long() -> UpstreamProtocolError:
    return UpstreamProtocolError("The upstream's chunked framing has no end")
