"""
Parse a body of JSON within bounds of values, nesting and uninterrupted work.

Values are counted before they are parsed, by searches that run in C over slices of the body, so
that a few bytes never become gigabytes. In a large body the content of long strings (an image in
base64) is cut out before parsing and restored afterwards: other requests run in between, and the
parser only reads the rest.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.errors import InvalidRequest, NotJson, PayloadTooLarge
from app.streaming.lenient_json import MAX_LEVELS, exceeds_levels
from app.yielding import end_turn, give_way
from schemas.work_bounds import MAX_STRING_BYTES, MAX_TEXT_BYTES

MIB = 1024 * 1024
SLICE_BYTES = 32 * 1024
SLICES_PER_TURN = 16  # at most about 3 ms of counting
CUT_OUT_FROM_BYTES = 2 * 1024 * 1024  # smaller bodies are parsed in one call
WALKED_PER_TURN = 20_000  # arrays and objects


@dataclass(slots=True)
class Scan:
    """
    The result of a scan.

    `values` is an upper bound of the JSON values, 0 where the body is too small to be counted;
    `opaque` has (start, end) of the long contents of strings.
    """

    values: int = 0
    in_string: bool = False
    opaque: list[tuple[int, int]] = field(default_factory=list)

    @property
    def opaque_bytes(self) -> int:
        return sum(end - start for start, end in self.opaque)


def scan(data: bytes, max_values: int) -> Scan:
    """
    Count the values of *data*.

    Raises InvalidRequest for more than *max_values*, and PayloadTooLarge for too much text.
    """
    if 2 * len(data) <= 3 * max_values:  # valid JSON has at least three bytes for two of the counted values
        return Scan()
    scanned = _scan_slices(data, max_values)
    if len(data) - scanned.opaque_bytes > MAX_TEXT_BYTES:
        raise PayloadTooLarge(
            f"The request body has more than {MAX_TEXT_BYTES // MIB} MiB of text; the rest may be files"
            " and images in base64"
        )
    if any(end - start > MAX_STRING_BYTES for start, end in scanned.opaque):
        raise PayloadTooLarge(f"One string of the request body has more than {MAX_STRING_BYTES // MIB} MiB")
    return scanned


def parse(data: bytes, scanned: Scan, hold_wide: Callable[[int], None] = lambda characters: None) -> Any:
    """
    Return the value of the JSON in *data*; *scanned* is the result of `scan`.

    *hold_wide* is called with the length of each long string that is not ASCII, before it is created.
    Raises NotJson, InvalidRequest for too many levels, and PayloadTooLarge for too many such characters.
    """
    give_way(len(data))
    value = _parse_around(data, scanned.opaque, hold_wide)
    give_way(len(data))
    check_levels(value)
    return value


def _scan_slices(data: bytes, max_values: int) -> Scan:
    scan = Scan(values=1)
    at, slices = 0, 0
    while at < len(data):
        piece = data[at : at + SLICE_BYTES]
        if b"\\" in piece:
            piece = _without_half_escape(piece)
        _scan_slice(scan, piece, at)
        if scan.values > max_values:
            raise InvalidRequest(f"The request body has more than {max_values} JSON values")
        at += len(piece)
        slices += 1
        if slices % SLICES_PER_TURN == 0:
            end_turn()
    return scan


def _without_half_escape(piece: bytes) -> bytes:
    """Return *piece* without a last backslash whose character comes with the next slice."""
    run = len(piece) - len(piece.rstrip(b"\\"))
    return piece[:-1] if run % 2 and len(piece) > 1 else piece


def _scan_slice(scan: Scan, piece: bytes, at: int) -> None:
    """Count separators and opening brackets outside of strings; *piece* does not end within an escape."""
    if scan.in_string and b'"' not in piece:
        if _is_plain(piece):
            _add_opaque(scan, at, at + len(piece))
        return
    if b"\\" in piece:
        piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
    inside_and_out = piece.split(b'"')
    outside = b"".join(inside_and_out[scan.in_string :: 2])
    scan.in_string ^= len(inside_and_out) % 2 == 0
    scan.values += outside.count(b",") + outside.count(b"[") + outside.count(b"{")


def _add_opaque(scan: Scan, start: int, end: int) -> None:
    if scan.opaque and scan.opaque[-1][1] == start:
        start = scan.opaque.pop()[0]
    scan.opaque.append((start, end))


def _loads(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotJson(error.msg, position=error.pos) from None


def _parse_around(data: bytes, opaque: list[tuple[int, int]], hold_wide: Callable[[int], None]) -> Any:
    """Return the value of *data*; its *opaque* ranges are not parsed but inserted afterwards."""
    if len(data) <= CUT_OUT_FROM_BYTES or not opaque:
        return _loads(data)
    mark = secrets.token_hex(16)  # random, so the body cannot contain it
    texts: list[str] = []
    rest: list[bytes] = []
    at = 0
    for start, end in (_widen(data, *extent) for extent in opaque):
        rest += [data[at:start], f"{mark}{len(texts):08x}".encode()]
        texts.append(str(memoryview(data)[start:end], "ascii"))
        at = end
        end_turn()
    value = _loads(b"".join([*rest, data[at:]]))
    end_turn()
    return _Restored(mark, texts, hold_wide).put_into(value)


def _widen(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the bounds of the complete string around an opaque range if all of the string is plain."""
    first, last = data.rfind(b'"', start - SLICE_BYTES, start) + 1, data.find(b'"', end, end + SLICE_BYTES)
    if first and _is_plain(data[first:start]):
        start = first
    if last >= 0 and _is_plain(data[end:last]):
        end = last
    return start, end


def _is_plain(piece: bytes) -> bool:
    """Return whether *piece*, of a string, is ASCII without escapes."""
    return b"\\" not in piece and piece.isascii() and piece.decode().isprintable()


class _Restored:
    """Restores texts in a parsed value, where a mark replaces each of them."""

    def __init__(self, mark: str, texts: list[str], hold_wide: Callable[[int], None]) -> None:
        self._mark = mark
        self._texts = texts
        self._wide_chars = 0
        self._hold_wide = hold_wide
        self._marks = re.compile(f"{mark}([0-9a-f]{{8}})")

    def put_into(self, value: Any) -> Any:
        """Return *value* with its texts restored; arrays and objects are changed in place."""
        if type(value) is str:
            return self._restore(value)
        containers, walked = [value] if type(value) in (dict, list) else [], 0
        while containers:
            container = containers.pop()
            members = container.items() if type(container) is dict else enumerate(container)
            for name, inner in list(members):
                if type(name) is str and self._mark in name:
                    raise InvalidRequest("The request body has a field whose name is too long")
                if type(inner) is str:
                    if len(inner) >= len(self._mark) and self._mark in inner:
                        container[name] = self._restore(inner)
                elif type(inner) in (dict, list):
                    containers.append(inner)
            walked += 1
            if walked % WALKED_PER_TURN == 0:
                end_turn()
        return value

    def _restore(self, text: str) -> str:
        end_turn()
        pieces = self._marks.split(text)
        if not text.isascii():
            self._check_wide(text, pieces)
        pieces[1::2] = [self._texts[int(number, 16)] for number in pieces[1::2]]
        return "".join(pieces)

    def _check_wide(self, text: str, pieces: list[str]) -> None:
        """Refuse too much text in strings that are not ASCII: their characters take up to four bytes each."""
        characters = len(text) + sum(len(self._texts[int(number, 16)]) for number in pieces[1::2])
        self._hold_wide(characters)
        self._wide_chars += characters
        if self._wide_chars > MAX_TEXT_BYTES:
            raise PayloadTooLarge(
                f"The request body has more than {MAX_TEXT_BYTES // MIB} MiB in strings that are not ASCII"
            )


def check_levels(body: Any) -> None:
    """Refuse a value that is nested too deeply to be encoded again."""
    if exceeds_levels(body):
        raise InvalidRequest(f"The request body is nested more than {MAX_LEVELS} levels deep")
