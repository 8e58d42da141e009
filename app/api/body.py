"""
A request's body: within its limits, unpacked, parsed.

Sizes are checked before the key is, contents after it: a caller without a key costs nothing.
"""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
import orjson
import zstandard
from flask import Request, g
from gunicorn.http.errors import ParseException

from app.api.services import this_request
from app.errors import BodyTimeout, InvalidRequest, NotJson, PayloadTooLarge

LEAST_BYTES_PER_SECOND = 256 * 1024  # of a body, on top of what every client is given
PIECE_BYTES = 256 * 1024  # of a body that does not tell its length
MOST_LEVELS = 200  # orjson writes 254, and a translation may wrap what it was given


def check_size(limit_bytes: int) -> None:
    """Refuse what is known to be too large, or encoded in a way we do not know, before reading it."""
    asked = this_request()
    if (asked.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    for encoding in _encodings(asked):
        if encoding not in _UNPACK:
            raise InvalidRequest(
                f"Content-Encoding '{encoding[:40]}' is not supported; use zstd, gzip or deflate"
            )


def read_json(limit_bytes: int) -> tuple[dict[str, Any], int]:
    """
    Return the body as a JSON object, and its size in bytes once unpacked.

    Raises InvalidRequest or PayloadTooLarge.
    """
    data = read_bytes(limit_bytes)
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotJson(error.msg, position=error.pos) from None
    if not isinstance(body, dict):
        raise InvalidRequest("The request body must be a JSON object")
    _check_depth(body)
    return body, len(data)


def read_bytes(limit_bytes: int) -> bytes:
    """Return the body, unpacked. Raises InvalidRequest or PayloadTooLarge."""
    asked = this_request()
    data = _received(asked, limit_bytes)
    for encoding in reversed(_encodings(asked)):
        packed, data = len(data), _UNPACK[encoding](data, limit_bytes)
        g.visit.grow(max(0, len(data) - packed))
    return data


def _received(asked: Request, limit_bytes: int) -> bytes:
    slow = BodyTimeout("The request body came too slowly")
    sock: Any = asked.environ.get("gunicorn.socket")
    size = asked.content_length
    try:
        with gevent.Timeout(_patience_seconds(sock, size or 0), slow):
            data = _read_all(asked, size, limit_bytes)
    except (TimeoutError, BodyTimeout):
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RD)  # or the server would wait for the rest before it lets go
        raise slow from None
    except (OSError, ParseException):
        raise InvalidRequest("The request body did not arrive as its headers say") from None
    if len(data) > limit_bytes:
        raise _too_large(limit_bytes)
    if len(data) < (size or 0):
        raise InvalidRequest("The request body is shorter than its Content-Length says")
    return data


def _read_all(asked: Request, size: int | None, limit_bytes: int) -> bytes:
    """Return the body, up to one byte past its limit. One of unknown length takes room as it arrives."""
    body = asked.environ["wsgi.input"]  # ends where the body does: gunicorn sees to that
    if size is not None:
        return bytes(body.read(limit_bytes + 1))
    pieces, left = [], limit_bytes + 1
    while left > 0 and (piece := body.read(min(left, PIECE_BYTES))):
        g.visit.grow(len(piece))
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _patience_seconds(sock: Any, size: int) -> float | None:
    """How long the whole body may take: as long as silence on its socket, and more for a large one."""
    silence: float | None = sock.gettimeout() if sock is not None else None
    if silence is None:
        return None
    return silence + size / LEAST_BYTES_PER_SECOND


def _check_depth(body: dict[str, Any]) -> None:
    """Refuse what could be read but not be written again."""
    level: list[Any] = [body]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in (dict, list)
        ]
        if not level:
            return
    raise InvalidRequest(f"The request body is nested more than {MOST_LEVELS} levels deep")


def _encodings(asked: Request) -> list[str]:
    header = asked.headers.get("Content-Encoding", "")
    return [name for part in header.split(",") if (name := part.strip().lower())]


def _too_large(limit_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request body is larger than {limit_bytes // (1024 * 1024)} MiB")


def _inflate(wbits: int) -> Callable[[bytes, int], bytes]:
    def unpack(data: bytes, limit_bytes: int) -> bytes:
        inflater = zlib.decompressobj(wbits)
        try:
            out = inflater.decompress(data, limit_bytes + 1)
        except zlib.error:
            raise _broken() from None
        if len(out) > limit_bytes:
            raise _too_large(limit_bytes)
        if not inflater.eof or inflater.unused_data:  # one member: many small ones cost seconds
            raise _broken()
        return out

    return unpack


def _deflate(data: bytes, limit_bytes: int) -> bytes:
    """`deflate` means zlib's format; some clients send the bare one."""
    try:
        return _inflate(zlib.MAX_WBITS)(data, limit_bytes)
    except PayloadTooLarge:
        raise
    except InvalidRequest:
        return _inflate(-zlib.MAX_WBITS)(data, limit_bytes)


def _unzstd(data: bytes, limit_bytes: int) -> bytes:
    try:
        decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
        with decompressor.stream_reader(data, read_across_frames=True) as reader:
            out = reader.read(limit_bytes + 1)
    except zstandard.ZstdError:
        raise _broken() from None
    if len(out) > limit_bytes:
        raise _too_large(limit_bytes)
    return out


def _broken() -> InvalidRequest:
    return InvalidRequest("The request body could not be decompressed as its Content-Encoding says")


_UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _inflate(16 + zlib.MAX_WBITS),
    "x-gzip": _inflate(16 + zlib.MAX_WBITS),
    "deflate": _deflate,
    "zstd": _unzstd,
    "identity": lambda data, _: data,
}
