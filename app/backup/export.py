"""
Everything an installation has, in one file: pool by pool as it was at one moment, while it is in use.

What belongs together (limits and what they have counted, accounts, keys, who holds what, how far the
ledger goes) is read by one script. Rows up to that point never change, so they are read after it. A
total is read together with the newest row that is in it, and what came after the point is taken
off again. So the copy balances, whatever happens meanwhile. Neither side is held in memory.

A backup is lines of JSON, each a list that begins with what it is:

    ["backup", {id, at (Unix seconds), by, pools: [name, …]}]
    ["pool", {name, last_id, added, deleted}]
    ["key", name, kind, value, {field: clear text of what is sealed in it}, expires (Unix ms; 0: never)]
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
from app.stores import dump, rollups
from app.stores.dump import PoolDump, Record
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import EVER, Total
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault

FERNET_BEGINS = "gAAAAA"  # version 0x80 and the first bytes of a time before the year 4000
Json = dict[str, Any]


class Backup:
    """One backup of some pools, and of the office where it is among them. `lines`, once."""

    def __init__(
        self, scripts: Scripts, vault: Vault, backup_id: str, told: Callable[[int], None] = lambda _: None
    ) -> None:
        """*told* hears how many ledger rows were read, page by page."""
        self._scripts = scripts
        self._client = scripts.client
        self._vault = vault
        self._id = backup_id
        self._told = told
        self.pools: dict[str, Json] = {}  # by name: what each had, when it is through
        self.unreadable: list[str] = []  # keys with a secret that another key sealed; they go as they are

    def lines(self, pools: list[str], by: str) -> Iterator[bytes]:
        """Yield every line of the backup, with its end. Raises StoreUnavailable."""
        yield _line("backup", {"id": self._id, "at": int(time.time()), "by": by, "pools": pools})
        for pool in pools:
            yield from self._pool(pool)
        yield _line("end")

    def _pool(self, pool: str) -> Iterator[bytes]:
        reader = PoolDump(self._scripts, pool)
        found = list(reader.names(excluded=dump.EXCLUDED))
        also = [name for name in found if dump.is_one_of(name, (dump.OPEN, dump.SECRETS))]
        taken = reader.snapshot(also)
        yield _line(
            "pool",
            {"name": pool, "last_id": taken.last_id, "added": taken.added, "deleted": taken.deleted},
        )
        key_ids = {record.value["id"] for record in taken.records if record.name.startswith("k:")}
        for record in taken.records:
            if not record.name.startswith(dump.SECRETS) or record.value in key_ids:
                yield self._key(pool, record)
        others = (
            name
            for name in found
            if name != dump.LEDGER and not dump.is_one_of(name, dump.IN_SNAPSHOT + dump.TOTALS)
        )
        for record in reader.records(others):
            yield self._key(pool, record)
        rows = 0
        if taken.last_id:
            for entries in reader.stream(dump.LEDGER, upto=taken.last_id):
                yield _line("rows", entries)
                rows += len(entries)
                self._told(len(entries))
        for record in self._totals(pool, found, taken.last_id):
            yield self._key(pool, record)
        self.pools[pool] = {
            "accounts": sum(record.name.startswith("a:") for record in taken.records),
            "keys": len(key_ids),
            "rows": rows,
            "open": sum(len(record.value) for record in taken.records if record.name == "leases"),
        }
        yield _line("end of pool", self.pools[pool])

    def _totals(self, pool: str, found: list[str], last_id: str) -> Iterator[Record]:
        """Yield the totals as they were when *last_id* was the newest row."""
        later = RowSums(LedgerRepository(self._client), pool, after=last_id or "0-0")
        for name in found:
            if not dump.is_one_of(name, dump.TOTALS):
                continue
            total = _total(name)
            figures, newest = LedgerRepository(self._client).total(pool, total)
            if newest:
                later.read(newest)
            since = later.sums[total]
            then = {figure: str(amount - since[figure]) for figure, amount in figures.items()}
            then = {figure: amount for figure, amount in then.items() if amount != "0"}
            if then:
                yield Record(name, "hash", then)

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
    return Total(rollups.HOUR if span == rollups.HOUR else rollups.DAY, int(start))
