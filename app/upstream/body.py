"""
Read a response body as it arrives: each read returns what one `recv` received.

`iter_lines` and `iter_content` either wait for more data or need a call per line; here one read
returns all events that the upstream sent together. The HTTP/1.1 framing is decoded by
`streaming.chunked`, so the socket can still be read after a timeout; the buffered file of
http.client could not.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from urllib3 import BaseHTTPResponse

from app.errors import StreamEventTooLarge, StreamIncomplete, UpstreamError
from app.receiver import NOTHING_YET, Receiver
from app.streaming.chunked import ChunkedDecoder
from app.upstream.inflater import Inflater, inflater_for
from app.yielding import end_turn

READ_BYTES = 65536
TURN_BYTES = 32 * 1024  # bytes read before other greenlets run: some milliseconds of events
READ_COST_BYTES = 512  # what a short read counts as: it takes as long as reading so many
# If so many of the 8,192 bytes that http.client reads are body, more data is probably waiting.
MORE_BYTES = 4096
INFLATED_BYTES = 8 * 1024 * 1024  # most that one read may inflate to; text shrinks to a hundredth at best
BROKEN = "The connection to the upstream broke"
FINISHING_READS = (
    4  # reads for `[DONE]` and the framing; if the upstream still sends, the connection is closed
)


class Body:
    """The body of a response that urllib3 has not read. `complete` is True once its framing ended."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        raw: Any = response
        self._raw = raw
        http: Any = raw._original_response  # the response of http.client, which has read the headers only
        self._http = http
        self._keep_alive = not http.will_close
        self._chunks = ChunkedDecoder() if http.chunked else None
        self._left: int | None = None if http.chunked else http.length
        self._inflater = inflater_for(response.headers.get("Content-Encoding", ""))
        self.inflated_bytes = INFLATED_BYTES  # the most that one read may inflate to
        self._broken = False
        self._since_turn = 0
        self.complete = self._left == 0
        self._socket: Any = None if http.fp is None else http.fp.raw._sock
        self._early = b""
        if http.fp is not None:
            self._early = self._buffered(http.fp)
            http.fp = http.fp.detach()  # its buffer would take 8 KiB while the body lasts
        http.headers = http.msg = None  # those of *response* are a copy
        self._receiver: Receiver | None = None  # made by the first read that may have to wait

    def _buffered(self, file: Any) -> bytes:
        """Return the data that http.client has read beyond the headers."""
        self._socket.settimeout(0)
        data = b""
        try:
            data = file.read1(READ_BYTES) or b""  # None from a plain socket that has nothing yet
            if len(data) >= MORE_BYTES:
                data += self._socket.recv(READ_BYTES)
        except NOTHING_YET:
            pass
        except OSError:
            self._broken = True  # the kernel reports an error once; the next read would look like an end
        return data

    def read(self, timeout_seconds: float) -> bytes | None:
        """
        Return what arrived, `b""` at the end of the body, or None after *timeout_seconds* of silence.

        Raises StreamIncomplete when the connection ends before the body does,
        UpstreamProtocolError when framing or compression are invalid, and StreamEventTooLarge
        when the data decompresses to too much.
        """
        while not self.complete or self._inflater is not None:
            if self._inflater is not None:  # the data before its failure has been returned
                if self._inflater.is_bomb:
                    raise StreamEventTooLarge("The upstream's response decompresses to too much data")
                if self.complete:
                    return self._end_inflated(self._inflater)
            if self._since_turn > TURN_BYTES:  # reading data that has arrived does not switch greenlets
                self._since_turn = 0
                end_turn()
            data = self._early or self._receive(timeout_seconds)
            self._early = b""
            if data is None:
                return None
            self._since_turn += len(data) + READ_COST_BYTES
            if content := self._unframe(data):
                return content
        return b""

    def _receive(self, timeout_seconds: float) -> bytes | None:
        if self._broken:
            raise StreamIncomplete(BROKEN)
        if self._receiver is None:
            self._receiver = Receiver(self._socket)
        try:
            return self._receiver.receive(READ_BYTES, timeout_seconds)
        except OSError as error:
            raise StreamIncomplete(BROKEN) from error

    def _unframe(self, data: bytes) -> bytes:
        if not data:
            if self._chunks is None and self._left is None:
                self.complete = True  # this body ends when its connection does
                return b""
            raise StreamIncomplete("The upstream closed the connection in the middle of its response")
        if self._chunks is not None:
            data = self._chunks.decode_chunks(data)
            self.complete = self._chunks.done
        elif self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
            self.complete = self._left == 0
        return data if self._inflater is None else self._inflater.inflate(data, self.inflated_bytes)

    def _end_inflated(self, inflater: Inflater) -> bytes:
        if not inflater.is_complete:
            raise StreamIncomplete("The upstream ended its response in the middle of its compressed data")
        return b""

    def interrupt(self) -> None:
        """Wake a waiting `read`, which then fails. Safe from the hub; does not wait."""
        with suppress(OSError, AttributeError):  # already closed
            getattr(self._socket, "_sock", self._socket).shutdown(socket.SHUT_RDWR)

    def finish(self, grace_seconds: float) -> None:
        """
        Return the connection to its pool if the rest of the body is only framing; otherwise close it.

        After its terminal event an upstream sends only `[DONE]` and the last chunk.
        """
        with suppress(UpstreamError):
            reads = FINISHING_READS if self._keep_alive else 0
            while reads and not self.complete and self.read(grace_seconds) is not None:
                reads -= 1
        if self._keep_alive and self.complete:
            self._end_receiving()
            self._http.close()
            self._raw.release_conn()
        else:
            self.close()

    def close(self) -> None:
        """Close the connection, so that the upstream stops producing."""
        self._end_receiving()
        self._raw.close()

    def _end_receiving(self) -> None:
        if self._receiver is not None:
            self._receiver.close()
            self._receiver = None
