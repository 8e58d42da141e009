"""
Restore the pools of a backup, into the same or another installation.

The entire file is read once before anything is written: a wrong passphrase, or a damaged or incomplete file,
changes nothing. Each pool is staged next to the stored one, and then replaces it in one script, so a pool is
either unchanged or complete; several pools are not replaced in one step. An interrupted restore is run again:
it recognizes pools that it has restored, and leaves them as they are.

Requests that were running when the backup was made have no worker any more. They are charged what they had
reserved, as for an expired lease; a late settlement corrects that. Requests settled within a day are
remembered, so that none is counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from app.backup.checked_lines import CheckedLines
from app.backup.encrypted_file import EncryptedReader
from app.backup.stored_values import is_restored
from app.errors import InvalidRequest
from app.ledger.verify import Difference, Verification
from app.stores import keys
from app.stores.dump import Record, Rows
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import UsageSource
from app.stores.restore_staging import Staging, count_contents, register_pool, restored_backup
from app.stores.scripts import Scripts
from app.stores.secrets import Vault

LATE_MS = 86_400_000  # how long a settlement is remembered, as in app/stores/lua/requests.lua
EXPIRED = "lease_expired"

JsonObject = dict[str, Any]
Progress = Callable[[int], None]


@dataclass(slots=True)
class Contents:
    """The content of a backup: `at` in Unix seconds, and the counts of each pool, see `app.backup.export`."""

    id: str
    at: int
    pools: dict[str, JsonObject] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restored:
    """One pool after its restore; `again`: it had been restored before, and was left as it is."""

    name: str
    again: bool
    rows: int = 0
    differences: tuple[Difference, ...] = ()


class BackupFile:
    """A backup that can be read several times; each time the key is derived from the passphrase."""

    def __init__(self, path: Path, passphrase: str) -> None:
        self._path = path
        self._passphrase = passphrase
        self.warnings: list[str] = []  # from the last reading

    def size(self) -> int:
        return self._path.stat().st_size

    def lines(self, progress: Progress = lambda _: None) -> Iterator[list[Any]]:
        """
        Yield the checked lines of the backup; *progress* is called with the bytes read.

        Raises UnreadableFile.
        """
        with self._path.open("rb") as file:
            at = 0
            lines = CheckedLines(EncryptedReader(file, self._passphrase).lines())
            self.warnings = lines.warnings
            for line in lines:
                yield line
                if file.tell() > at:
                    progress(file.tell() - at)
                    at = file.tell()

    def contents(self, progress: Progress = lambda _: None) -> Contents:
        """Read the entire file and return its contents. Raises UnreadableFile."""
        contents, pool = Contents("", 0), ""
        for line in self.lines(progress):
            if line[0] == "backup":
                contents = Contents(line[1]["id"], line[1]["at"])
            elif line[0] == "pool":
                pool = line[1]["name"]
            elif line[0] == "end of pool":
                contents.pools[pool] = line[1]
        return contents


class Restore:
    def __init__(self, scripts: Scripts, vault: Vault) -> None:
        self._scripts = scripts
        self._ledger = LedgerRepository(scripts)
        self._vault = vault

    def find_replaced(
        self, contents: Contents, pools: list[str], *, replace: bool
    ) -> dict[str, dict[str, int]]:
        """
        Return the counts of the data that a restore would replace, by pool.

        Pools that were restored from *contents* before stay as they are, unless *replace*.
        """
        counts_by_pool = {
            pool: count_contents(self._scripts, pool)
            for pool in pools
            if replace or restored_backup(self._scripts, pool) != contents.id
        }
        return {pool: counts for pool, counts in counts_by_pool.items() if counts}

    def run(
        self,
        file: BackupFile,
        contents: Contents,
        pools: list[str],
        *,
        replace: bool,
        progress: Progress = lambda _: None,
    ) -> list[Restored]:
        """
        Restore *pools* of *file*, one after the other, and verify the ledger of each.

        *progress* is called with the bytes read. With *replace*, existing data is replaced, even if it was
        restored from the same backup. Raises InvalidRequest if there is data that may not be replaced, or
        another restore is running.
        """
        done: list[Restored] = []
        lines = file.lines(progress)
        for line in lines:
            if line[0] != "pool" or line[1]["name"] not in pools:
                continue
            pool = line[1]["name"]
            if not replace and restored_backup(self._scripts, pool) == contents.id:
                register_pool(self._scripts, pool)  # an earlier run may have stopped before this step
                done.append(Restored(pool, again=True))
                continue
            self._restore_pool(pool, contents.id, line[1], lines, replace=replace)
            differences = self._verify(pool)
            done.append(Restored(pool, False, contents.pools[pool]["rows"], differences))
        return done

    def _verify(self, pool: str) -> tuple[Difference, ...]:
        if pool == keys.SYSTEM:
            return ()
        return tuple(Verification(self._ledger, pool).differences())

    def _restore_pool(
        self, pool: str, backup_id: str, head: JsonObject, lines: Iterator[list[Any]], *, replace: bool
    ) -> None:
        staging = Staging(self._scripts, pool)
        staging.begin()
        now_ms = staging.now_ms()
        for line in lines:
            if line[0] == "end of pool":
                break
            if line[0] == "rows":
                staging.stage_entries(line[1])
                staging.stage(_settlement_marks(line[1], now_ms))
            elif record := self._record(line, now_ms):
                staging.stage([record])
        if pool == keys.SYSTEM:
            staging.stage_newer("audit")
        staging.set_ledger_position(head["last_id"], head["added"], head["deleted"])
        outcome = staging.finish(backup_id, replace=replace)
        if outcome == "occupied":
            raise InvalidRequest(f"Pool '{pool}' is not empty anymore", param="pool")
        if outcome != "done":
            raise InvalidRequest(f"Another restore into pool '{pool}' has begun since", param="pool")

    def _record(self, line: list[Any], now_ms: int) -> Record | None:
        _, name, kind, value, clear, expires_ms = line
        is_expired = expires_ms and expires_ms <= now_ms
        if is_expired or not is_restored(name):
            return None
        if clear:
            value = value | {field: self._vault.seal(text) for field, text in clear.items()}
        return Record(name, kind, value, expires_ms)


def _settlement_marks(entries: Rows, now_ms: int) -> Iterator[Record]:
    """
    Yield the marks of requests that were settled within a day.

    An expired lease is not a settlement: the settlement may still arrive.
    """
    for entry_id, fields in entries:
        expires_ms = int(entry_id.partition("-")[0]) + LATE_MS
        if expires_ms <= now_ms:
            continue
        row = orjson.loads(fields["row"])
        if row.get("error") != EXPIRED or row["source"] == UsageSource.CORRECTED:
            yield Record(f"done:{row['id']}", "string", entry_id, expires_ms)
