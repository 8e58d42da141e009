"""
Settlements on disk: what a worker still held when it had to end while Redis was away.

One file per worker that ended so, of JSON lines `{"pool": …, "settlement": …}`, readable by its
owner alone. Whoever starts next delivers it; the store ignores what it has seen before.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import structlog

log = structlog.get_logger()

Kept = tuple[str, dict[str, Any]]  # pool, settlement


class Spool:
    def __init__(self, folder: Path) -> None:
        """*folder* is made when there is something to put into it."""
        self._folder = folder

    def write(self, kept: Iterable[Kept]) -> Path:
        """Write *kept* to a new file, which nobody finds before it is whole."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{secrets.token_hex(8)}.jsonl"
        unfinished = path.with_suffix(".part")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            for pool, settlement in kept:
                file.write(orjson.dumps({"pool": pool, "settlement": settlement}) + b"\n")
            file.flush()
            os.fsync(descriptor)
        unfinished.rename(path)
        return path

    def files(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl"))

    def read(self, path: Path) -> list[Kept]:
        """Return the lines of *path* that can be read; none where another process was faster."""
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        kept = []
        for number, line in enumerate(lines, start=1):
            try:
                entry = orjson.loads(line)
                pool, settlement = entry["pool"], entry["settlement"]
                if not isinstance(pool, str) or not isinstance(settlement["id"], str):
                    raise TypeError
                kept.append((pool, settlement))
            except (orjson.JSONDecodeError, TypeError, KeyError):
                log.error("spool_line_unreadable", file=path.name, line=number)
        return kept

    def remove(self, path: Path) -> None:
        """Forget *path*, once all of it is delivered."""
        path.unlink(missing_ok=True)
