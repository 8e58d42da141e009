"""
The request body: read within limits, decompressed, parsed.

Its size is checked before the API key, its content after it: a caller without a key costs nothing.
"""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import zstandard
from flask import Request, g
from gunicorn.http.errors import LimitRequestHeaders, ParseException

from app.api import idempotency, json_body
from app.api.context import current_request, request_globals
from app.errors import BodyTimeout, InvalidRequest, NotAnObject, PayloadTooLarge
from app.server.capacity import BYTES_PER_VALUE, WIDE_COPIES
from app.yielding import SMALL_BYTES, end_turn, give_way
from schemas.work_bounds import MAX_CONVERSATION_VALUES, MAX_ENCODINGS

MIN_BYTES_PER_SECOND = 256 * 1024  # slowest rate of a body, after the timeout of the socket
PIECE_BYTES = 256 * 1024  # bytes read or decompressed before other greenlets run
SLICE_BYTES = 64 * 1024  # of compressed data, which may contain nothing
CHUNKED_PIECE_BYTES = 8 * 1024  # piece of a chunked body, whose chunks may have one byte each


def check_size(limit_bytes: int) -> None:
    """
    Refuse a body that is too large, or in an unknown encoding, before it is read.

    Raises PayloadTooLarge or InvalidRequest.
    """
    request = current_request()
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    encodings = _encodings(request)
    if len(encodings) > MAX_ENCODINGS:
        raise InvalidRequest("Content-Encoding may name one encoding; compress the body once")
    for encoding in encodings:
        if encoding not in _DECOMPRESSORS:
            raise InvalidRequest(
                f"Content-Encoding '{encoding[:40]}' is not supported; use zstd, gzip or deflate"
            )


def read_json(limit_bytes: int, max_values: int = MAX_CONVERSATION_VALUES) -> tuple[dict[str, Any], int]:
    """
    Return the body as a JSON object, and its decompressed size in bytes.

    Raises InvalidRequest or PayloadTooLarge.
    """
    data = read_bytes(limit_bytes)
    scanned = json_body.scan(data, max_values)
    if scanned.values:
        # The search for one byte is a hundred times as fast as that for two.
        wide = not data.isascii() or (b"\\" in data and b"\\u" in data)
        text_bytes = len(data) - scanned.opaque_bytes
        g.scope.hold(scanned.values * BYTES_PER_VALUE + wide * WIDE_COPIES * text_bytes)
    body = json_body.parse(data, scanned, lambda characters: g.scope.hold(WIDE_COPIES * characters))
    if not isinstance(body, dict):
        raise NotAnObject(body)
    return body, len(data)


def read_bytes(limit_bytes: int) -> bytes:
    """
    Return the body, decompressed. Raises InvalidRequest or PayloadTooLarge.

    A request with an `Idempotency-Key` may end here: see `idempotency.begin`.
    """
    request, state = current_request(), request_globals()
    if (retained := state.get("body")) is not None:
        data: bytes = retained
        return data
    data = _receive(request, limit_bytes)
    for encoding in reversed(_encodings(request)):
        data = _DECOMPRESSORS[encoding](data, limit_bytes)
    if idempotency.VARIABLE in request.environ:
        idempotency.begin(data)
    if (key := state.get("api_key")) is not None and key.fingerprint:
        state.body = data  # in case the view runs again
    return data


def _receive(request: Request, limit_bytes: int) -> bytes:
    slow = BodyTimeout("The request body came too slowly")
    sock: Any = request.environ.get("gunicorn.socket")
    size = request.content_length
    try:
        with gevent.Timeout(_timeout_seconds(sock, size or 0), slow):
            data = _read_all(request, size, limit_bytes)
    except (TimeoutError, BodyTimeout):
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RD)  # else the server would wait for the rest before it closes
        raise slow from None
    except LimitRequestHeaders:  # chunk trailers above the limits in app/server/gunicorn_settings.py
        raise InvalidRequest("The request body has too many trailers, or one is too long") from None
    except (OSError, ParseException):
        raise InvalidRequest("The request body does not match its headers") from None
    if len(data) > limit_bytes:
        raise _too_large(limit_bytes)
    if len(data) < (size or 0):
        raise InvalidRequest("The request body is shorter than its Content-Length")
    return data


def _read_all(request: Request, size: int | None, limit_bytes: int) -> bytes:
    """
    Return the body, up to one byte past its limit.

    A body of unknown length takes capacity as it arrives.
    """
    body = request.environ["wsgi.input"]  # gunicorn ends it with the body
    if size is not None and size <= PIECE_BYTES:
        return bytes(body.read(limit_bytes + 1))
    pieces, left = [], limit_bytes + 1
    piece_bytes = CHUNKED_PIECE_BYTES if size is None else PIECE_BYTES
    while left > 0 and (piece := body.read(min(left, piece_bytes))):
        if size is None:
            g.scope.grow(len(piece))
        pieces.append(piece)
        left -= len(piece)
        end_turn()  # reading data that has arrived does not switch greenlets
    return b"".join(pieces)


def _timeout_seconds(sock: Any, size: int) -> float | None:
    """Return the seconds that the body may take: the timeout of its socket, more for a large body."""
    timeout: float | None = sock.gettimeout() if sock is not None else None
    if timeout is None:
        return None
    return timeout + size / MIN_BYTES_PER_SECOND


def _encodings(request: Request) -> list[str]:
    header = request.headers.get("Content-Encoding", "")
    if not header:
        return []
    names = (part.strip().lower() for part in header.split(","))
    return [name for name in names if name not in ("", "identity")]


def _too_large(limit_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request body is larger than {limit_bytes // (1024 * 1024)} MiB")


def _join(pieces: Iterator[bytes], packed_bytes: int, limit_bytes: int) -> bytes:
    """Return *pieces* joined, and take capacity for their size beyond *packed_bytes*."""
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        if size > packed_bytes:
            g.scope.grow(min(len(piece), size - packed_bytes))
        give_way(size)
    return b"".join(held)


def _inflate(wbits: int) -> Callable[[bytes, int], bytes]:
    def pieces(data: bytes) -> Iterator[bytes]:
        inflater = zlib.decompressobj(wbits)
        try:
            for start in range(0, len(data), PIECE_BYTES):
                tail = data[start : start + PIECE_BYTES]
                while tail and not inflater.eof:
                    yield inflater.decompress(tail, PIECE_BYTES)
                    tail = inflater.unconsumed_tail
                if tail or (inflater.eof and start + PIECE_BYTES < len(data)):
                    raise _broken()  # only one gzip member is allowed: many small ones take seconds
            while not inflater.eof and (piece := inflater.decompress(b"", PIECE_BYTES)):
                yield piece
        except zlib.error:
            raise _broken() from None
        if not inflater.eof or inflater.unused_data:
            raise _broken()

    return lambda data, limit_bytes: _join(pieces(data), len(data), limit_bytes)


def _deflate(data: bytes, limit_bytes: int) -> bytes:
    """Decompress `deflate`, which is zlib's format; some clients send raw deflate data."""
    wbits = zlib.MAX_WBITS if _has_zlib_header(data) else -zlib.MAX_WBITS
    return _inflate(wbits)(data, limit_bytes)


def _has_zlib_header(data: bytes) -> bool:
    """Return whether *data* begins as zlib. Source: https://www.rfc-editor.org/rfc/rfc1950#section-2.2"""
    return len(data) >= 2 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0


class _Slices:
    """A compressed body as a file. It lets other greenlets run also while frames have no content."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def read(self, size: int) -> memoryview:
        if len(self._rest) > SMALL_BYTES:
            end_turn()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _unzstd(data: bytes, limit_bytes: int) -> bytes:
    def pieces() -> Iterator[bytes]:
        try:
            decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
            with decompressor.stream_reader(
                _Slices(data),  # type: ignore[arg-type]  # it needs `read` alone
                read_size=SLICE_BYTES,
                read_across_frames=True,
            ) as reader:
                while piece := reader.read(PIECE_BYTES):
                    yield piece
        except zstandard.ZstdError:
            raise _broken() from None

    return _join(pieces(), len(data), limit_bytes)


def _broken() -> InvalidRequest:
    return InvalidRequest("The request body could not be decompressed with its Content-Encoding")


_DECOMPRESSORS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _inflate(16 + zlib.MAX_WBITS),
    "x-gzip": _inflate(16 + zlib.MAX_WBITS),
    "deflate": _deflate,
    "zstd": _unzstd,
}
