"""
Put the pools of a backup where they were, or into another installation.

The whole file is read once before anything is written: a wrong passphrase, a damaged or a cut-off
file changes nothing. Then each pool is staged beside itself and put in place by one script, so it
is either what it was or all of the backup; over several pools there is no such step. A restore that
broke off is run again: pools that it had put in place tell so, and are left as they are.

Requests that were open when the backup was made have no worker any more. They are charged what
they held, as a lease that ran out is; where their worker settles them after all, that corrects it.
Requests that were settled within a day are remembered, so that none is booked twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from app.backup.encrypted_file import EncryptedReader, UnreadableFile
from app.errors import InvalidRequest
from app.ledger.verify import Difference, Verification
from app.stores import keys
from app.stores.dump import Record, Rows
from app.stores.ledger import LedgerRepository
from app.stores.restore_staging import Staging, count_contents, register_pool, restored_backup
from app.stores.scripts import Scripts
from app.stores.secrets import Vault

LATE_MS = 86_400_000  # how long a settlement is remembered, as in app/stores/lua/requests.lua
EXPIRED = "lease_expired"

Json = dict[str, Any]
Told = Callable[[int], None]


@dataclass(slots=True)
class Contents:
    """What a backup says of itself: `pools` by name, as in `app.backup.export`."""

    id: str
    at: int
    pools: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restored:
    """One pool after it was put in place, or left because it was (`again`)."""

    name: str
    again: bool
    rows: int = 0
    differences: tuple[Difference, ...] = ()


class BackupFile:
    """A file that can be read more than once; the key is made of the passphrase each time."""

    def __init__(self, path: Path, passphrase: str) -> None:
        self._path = path
        self._passphrase = passphrase

    def size(self) -> int:
        return self._path.stat().st_size

    def lines(self, told: Told = lambda _: None) -> Iterator[list[Any]]:
        """Yield the lines of the backup; *told* hears how many bytes were read. Raises UnreadableFile."""
        with self._path.open("rb") as file:
            at = 0
            for line in EncryptedReader(file, self._passphrase).lines():
                yield orjson.loads(line)
                if file.tell() > at:
                    told(file.tell() - at)
                    at = file.tell()

    def contents(self, told: Told = lambda _: None) -> Contents:
        """Read all of it and return what it says it holds. Raises UnreadableFile."""
        lines = self.lines(told)
        line: list[Any] = next(lines, [""])
        if line[0] != "backup":
            raise UnreadableFile("The file is not a backup that poolgate made")
        head, pool = line[1], ""
        found = Contents(head["id"], head["at"])
        for line in lines:
            if line[0] == "pool":
                pool = line[1]["name"]
            elif line[0] == "end of pool":
                found.pools[pool] = line[1]
        if line[0] != "end" or list(found.pools) != head["pools"]:
            raise UnreadableFile("The file is not whole")
        return found


class Restore:
    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._client = scripts.client
        self._vault = vault

    def would_lose(self, contents: Contents, pools: list[str], *, replace: bool) -> dict[str, dict[str, int]]:
        """Return what is there now, by pool; a pool that *contents* were put into stays, unless *replace*."""
        found = {
            pool: count_contents(self._scripts, pool)
            for pool in pools
            if replace or restored_backup(self._scripts, pool) != contents.id
        }
        return {pool: counts for pool, counts in found.items() if counts}

    def run(
        self,
        file: BackupFile,
        contents: Contents,
        pools: list[str],
        *,
        replace: bool,
        told: Told = lambda _: None,
    ) -> list[Restored]:
        """
        Put *pools* of *file* in place, one after the other, and verify the books of each.

        *told* hears how many bytes of the file were read.

        With *replace*, what is there goes, also what the same backup brought before. Raises
        InvalidRequest where there is something and it may not go, or another restore is at it.
        """
        done: list[Restored] = []
        lines = file.lines(told)
        for line in lines:
            if line[0] != "pool" or line[1]["name"] not in pools:
                continue
            pool = line[1]["name"]
            if not replace and restored_backup(self._scripts, pool) == contents.id:
                register_pool(self._scripts, pool)  # it may have been killed just before that
                done.append(Restored(pool, again=True))
                continue
            self._put_in_place(pool, contents.id, line[1], lines, replace=replace)
            books = Verification(LedgerRepository(self._client), pool)
            differences = tuple(books.differences()) if pool != keys.SYSTEM else ()
            done.append(Restored(pool, False, contents.pools[pool]["rows"], differences))
        return done

    def _put_in_place(
        self, pool: str, backup_id: str, head: Json, lines: Iterator[list[Any]], *, replace: bool
    ) -> None:
        staging = Staging(self._scripts, pool)
        staging.begin()
        now_ms = staging.now_ms()
        for line in lines:
            if line[0] == "end of pool":
                break
            if line[0] == "rows":
                staging.stage_entries(line[1])
                staging.stage(_settled(line[1], now_ms))
            elif record := self._record(line, now_ms):
                staging.stage([record])
        if pool == keys.SYSTEM:
            staging.stage_newer("audit")
        staging.set_ledger_position(head["last_id"], head["added"], head["deleted"])
        outcome = staging.finish(backup_id, replace=replace)
        if outcome == "occupied":
            raise InvalidRequest(f"Pool '{pool}' is not empty any more", param="pool")
        if outcome != "done":
            raise InvalidRequest(f"Another restore into pool '{pool}' has begun since", param="pool")

    def _record(self, line: list[Any], now_ms: int) -> Record | None:
        _, name, kind, value, clear, expires_ms = line
        if expires_ms and expires_ms <= now_ms:
            return None
        if clear:
            value = value | {field: self._vault.seal(text) for field, text in clear.items()}
        return Record(name, kind, value, expires_ms)


def _settled(entries: Rows, now_ms: int) -> Iterator[Record]:
    """
    Yield the marks of requests that were settled within a day.

    A lease that ran out is no settlement: that may still come.
    """
    for entry_id, fields in entries:
        expires_ms = int(entry_id.partition("-")[0]) + LATE_MS
        if expires_ms <= now_ms:
            continue
        row = orjson.loads(fields["row"])
        if row.get("error") != EXPIRED or row["source"] == "corrected":
            yield Record(f"done:{row['id']}", "string", entry_id, expires_ms)
