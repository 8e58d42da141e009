"""
Settlements that the store refuses, or that arrive a day late, stored on disk: not lost, and not retried
forever.

One file per installation, with JSON lines `{at, pool, reason, settlement}`, readable only by its owner and
bounded in size. A refused settlement is a defect. The lease of its request expires and is charged its upper
bound.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import orjson
import structlog

from app.stores.errors import MAX_REASON_CHARS

log = structlog.get_logger()

FILE_NAME = "dead-letters.jsonl"
MAX_FILE_BYTES = 16 * 1024 * 1024  # about ten thousand settlements; further ones are only in the log
MAX_LINE_BYTES = 64 * 1024


class DeadLetters:
    """The file of dead letters in *folder*."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def add(self, pool: str, settlement: object, reason: str) -> None:
        """Append one settlement with any content; a failure is logged, never raised."""
        line = _line(pool, settlement, reason[:MAX_REASON_CHARS])
        log.error("settlement_refused", pool=pool, reason=reason[:MAX_REASON_CHARS], file=str(self.path))
        try:
            self._append(line)
        except OSError as error:
            log.error("dead_letter_lost", pool=pool, reason=type(error).__name__, letter=line.decode())

    def count(self) -> int:
        """Return the number of dead letters; 0 also if the folder is not one, in which none can be stored."""
        try:
            with self.path.open("rb") as file:
                return sum(1 for _ in file)
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def _append(self, line: bytes) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.fstat(descriptor).st_size + len(line) > MAX_FILE_BYTES:
                raise OSError("the file is full")
            os.write(descriptor, line)  # one call, so that lines of several processes do not mix
        finally:
            os.close(descriptor)


def _line(pool: str, settlement: object, reason: str) -> bytes:
    letter: dict[str, Any] = {"at": int(time.time()), "pool": pool, "reason": reason}
    try:
        line = orjson.dumps(letter | {"settlement": settlement}, default=repr)
    except TypeError:  # such as an integer of more than 64 bits
        line = orjson.dumps(letter | {"settlement": repr(settlement)[: MAX_LINE_BYTES // 4]})
    if len(line) > MAX_LINE_BYTES:
        line = orjson.dumps(letter | {"settlement": repr(settlement)[: MAX_LINE_BYTES // 4]})
    return line + b"\n"
