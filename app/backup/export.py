"""
Write everything an installation stores into one file: each pool as it was at one moment, while in use.

One script reads what belongs together: limits and their counters, accounts, keys, leases, and the
position of the ledger. Ledger entries up to that position never change, so they are read afterwards. A
total is read together with the newest entry in it, and entries after the position are subtracted. So
the copy balances, whatever happens meanwhile. Neither the store nor the file is held in memory.

A backup is lines of JSON, each a list that begins with its type:

    ["backup", {id, at (Unix seconds), by, pools: [name, …]}]
    ["pool", {name, last_id, added, deleted}]
    ["key", name, kind, value, {field: decrypted secret}, expires (Unix ms; 0: never)]
    ["rows", [[id, {field: text}], …]]
    ["end of pool", {accounts, keys, rows, open}]
    ["end"]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from app.ledger.verify import RowSums
from app.stores import dump
from app.stores.dump import PoolDump, Record
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import EVER, Total
from app.stores.scripts import Scripts
from app.stores.sealed_values import FERNET_BEGINS
from app.stores.secrets import UnreadableSecret, Vault

JsonObject = dict[str, Any]


class Backup:
    """
    One backup; `lines` may be called once. The pool `keys.SYSTEM` is that of operators and the audit log.

    `pools` has the counts of each finished pool: {accounts, keys, rows, open}. `unreadable` names accounts
    whose secrets another key encrypted; they are copied as they are.
    """

    def __init__(
        self, scripts: Scripts, vault: Vault, backup_id: str, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """*progress* is called with the number of ledger entries of each page."""
        self._scripts = scripts
        self._ledger = LedgerRepository(scripts)
        self._vault = vault
        self._id = backup_id
        self._progress = progress
        self.pools: dict[str, JsonObject] = {}
        self.unreadable: list[str] = []

    def lines(self, pools: list[str], by: str) -> Iterator[bytes]:
        """Yield every line of the backup, including its end. Raises StoreUnavailable."""
        yield _line("backup", {"id": self._id, "at": int(time.time()), "by": by, "pools": pools})
        for pool in pools:
            yield from self._pool(pool)
        yield _line("end")

    def _pool(self, pool: str) -> Iterator[bytes]:
        reader = PoolDump(self._scripts, pool)
        names = list(reader.names(excluded=dump.EXCLUDED))
        snapshot = reader.snapshot(
            [name for name in names if dump.is_one_of(name, (dump.OPEN, dump.SECRETS))]
        )
        position = {"last_id": snapshot.last_id, "added": snapshot.added, "deleted": snapshot.deleted}
        yield _line("pool", {"name": pool, **position})
        key_ids = {record.value["id"] for record in snapshot.records if record.name.startswith("k:")}
        for record in snapshot.records:
            if not record.name.startswith(dump.SECRETS) or record.value in key_ids:
                yield self._key(pool, record)
        read_already = (dump.LEDGER, *dump.IN_SNAPSHOT, *dump.TOTALS)
        for record in reader.records(name for name in names if not dump.is_one_of(name, read_already)):
            yield self._key(pool, record)
        entry_count = 0
        if snapshot.last_id:
            for entries in reader.stream(dump.LEDGER, upto=snapshot.last_id):
                yield _line("rows", entries)
                entry_count += len(entries)
                self._progress(len(entries))
        for record in self._totals(pool, names, snapshot.last_id):
            yield self._key(pool, record)
        self.pools[pool] = {
            "accounts": sum(record.name.startswith("a:") for record in snapshot.records),
            "keys": len(key_ids),
            "rows": entry_count,
            "open": sum(len(record.value) for record in snapshot.records if record.name == "leases"),
        }
        yield _line("end of pool", self.pools[pool])

    def _totals(self, pool: str, names: list[str], last_id: str) -> Iterator[Record]:
        """Yield the totals as of the moment when *last_id* was the newest entry."""
        later = RowSums(self._ledger, pool, after=last_id or "0-0")
        for name in names:
            if not dump.is_one_of(name, dump.TOTALS):
                continue
            total = _total(name)
            figures, newest = self._ledger.total(pool, total)
            if newest:
                later.read(newest)
            added = later.sums[total]
            amounts = {figure: amount - added[figure] for figure, amount in figures.items()}
            stored = {figure: str(amount) for figure, amount in amounts.items() if amount}
            if stored:
                yield Record(name, "hash", stored)

    def _key(self, pool: str, record: Record) -> bytes:
        clear: dict[str, str] = {}
        if record.kind == "hash":
            for field, text in record.value.items():
                if text.startswith(FERNET_BEGINS):
                    try:
                        clear[field] = self._vault.open(text)
                    except UnreadableSecret:
                        self.unreadable.append(f"{pool}/{record.value.get('name', record.name)}")
        value = {field: text for field, text in record.value.items() if field not in clear} if clear else None
        return _line("key", record.name, record.kind, value or record.value, clear, record.expires_ms)


def _line(*parts: Any) -> bytes:
    return orjson.dumps(parts) + b"\n"


def _total(name: str) -> Total:
    family, _, rest = name.partition(":")
    if family == "used":
        return Total(EVER, key_id=rest)
    span, _, start = rest.partition(":")
    return Total(span, int(start), by_team=family == "teamroll")
