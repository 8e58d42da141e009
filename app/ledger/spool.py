"""
Settlements on disk that were pending when a process ended while Redis was away.

One file per process, with JSON lines `{"pool": …, "settlement": …}`, readable only by its owner. The next
process delivers it; the store ignores repetitions.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import orjson
import structlog

from app.stores.records.settlement import SettlementJson

log = structlog.get_logger()


class PendingSettlement(NamedTuple):
    pool: str
    settlement: SettlementJson

    @property
    def request_id(self) -> str:
        return str(self.settlement["id"])


class Spool:
    """Files of settlements that stopped workers could not deliver; a later process delivers them."""

    def __init__(self, folder: Path) -> None:
        """*folder* is created with the first file."""
        self._folder = folder

    def write(self, settlements: Iterable[PendingSettlement]) -> Path:
        """Write *settlements* to a new file, which gets its name when it is complete."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{secrets.token_hex(8)}.jsonl"
        unfinished = path.with_suffix(".part")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            for pool, settlement in settlements:
                file.write(orjson.dumps({"pool": pool, "settlement": settlement}) + b"\n")
            file.flush()
            os.fsync(descriptor)
        unfinished.rename(path)
        return path

    def files(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl"))

    def read(self, path: Path) -> list[PendingSettlement]:
        """Return the readable lines of *path*; none if another process has removed it."""
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        settlements = []
        for number, line in enumerate(lines, start=1):
            try:
                fields = orjson.loads(line)
                pool, settlement = fields["pool"], fields["settlement"]
                if not isinstance(pool, str) or not isinstance(settlement["id"], str):
                    raise TypeError
                settlements.append(PendingSettlement(pool, settlement))
            except (orjson.JSONDecodeError, TypeError, KeyError):
                log.error("spool_line_unreadable", file=path.name, line=number)
        return settlements

    def remove(self, path: Path) -> None:
        """Remove *path*, after all its settlements are delivered."""
        path.unlink(missing_ok=True)
