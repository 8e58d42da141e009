"""
Write JSON as pieces of bytes, so that a large value does not delay other requests.

orjson writes a value in one call, which takes 250 ms and more for the largest bodies; here other
greenlets run after every piece of about a megabyte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import orjson

from app.yielding import end_turn

T = TypeVar("T")

SINGLE_PIECE_BYTES = 1024 * 1024  # a smaller value is written in one call of a few milliseconds
PIECE_CHARS = 512 * 1024  # of text in one piece; a character becomes six bytes at most
VALUE_CHARS = 16  # size counted for each value in addition to its text
BATCH_LENGTH = 4096  # items that are measured and written together


def write_json(value: Any, size_bytes: int, *, sort_keys: bool = False) -> list[bytes]:
    """
    Return the JSON of *value*, of about *size_bytes*, in pieces.

    Joined, they are equivalent to `orjson.dumps(value)`, with sorted keys if *sort_keys*.
    """
    option = orjson.OPT_SORT_KEYS if sort_keys else None
    if size_bytes <= SINGLE_PIECE_BYTES:
        return [orjson.dumps(value, option=option)]
    writer = _Writer(option)
    writer.write(value)
    return writer.pieces


class _Writer:
    def __init__(self, option: int | None) -> None:
        self.pieces: list[bytes] = []
        self._option = option

    def write(self, value: Any) -> None:
        """Add *value*, of any size."""
        if type(value) is str:
            self._write_text(value)
        elif type(value) is list and value:
            self._write_list(value)
        elif type(value) is dict and value:
            self._write_dict(value)
        else:
            self.pieces.append(orjson.dumps(value, option=self._option))

    def _write_text(self, text: str) -> None:
        self.pieces.append(b'"')
        for start in range(0, len(text), PIECE_CHARS):
            self._append(orjson.dumps(text[start : start + PIECE_CHARS])[1:-1])
        self.pieces.append(b'"')

    def _write_list(self, items: list[Any]) -> None:
        before = b"["
        for batch, is_small in _batches(items):
            self.pieces.append(before)
            if is_small:
                self._append(orjson.dumps(batch, option=self._option)[1:-1])
            else:
                self.write(batch[0])
            before = b","
        self.pieces.append(b"]")

    def _write_dict(self, fields: dict[str, Any]) -> None:
        before = b"{"
        for batch, is_small in _batches(sorted(fields.items()) if self._option else list(fields.items())):
            self.pieces.append(before)
            if is_small:
                self._append(orjson.dumps(dict(batch), option=self._option)[1:-1])
            else:
                ((name, value),) = batch
                self._write_text(name)
                self.pieces.append(b":")
                self.write(value)
            before = b","
        self.pieces.append(b"}")

    def _append(self, piece: bytes) -> None:
        self.pieces.append(piece)
        end_turn()


def _batches(items: Sequence[T], length: int = BATCH_LENGTH) -> Iterator[tuple[Sequence[T], bool]]:
    """Yield (items, True) for items that together fit into a piece, ([item], False) for a larger item."""
    for start in range(0, len(items), length):
        batch = items[start : start + length]
        if _is_small(batch):
            yield batch, True
        elif len(batch) == 1:
            yield batch, False
        else:
            yield from _batches(batch, (len(batch) + 1) // 2)


def _is_small(values: Sequence[Any]) -> bool:
    """Return whether *values* fit into a piece; stop counting once they do not."""
    size, pending = 0, list(values)
    while pending:
        value = pending.pop()
        size += VALUE_CHARS
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, dict):
            size += sum(map(len, value))
            pending += value.values()
        elif isinstance(value, list | tuple):
            pending += value
        if size > PIECE_CHARS:
            return False
    return True
