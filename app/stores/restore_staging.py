"""
Restore a pool: stage its copy under temporary names, then swap it in with one script.

Nothing reads the staged keys, so an interrupted run changes nothing, and the next run deletes them. The
swap is one script (`restore_swap`): Redis runs it completely or, if the server dies, not at all. Only
markers (`dump.MARKERS`), of which there may be a million, are written to their final names beforehand:
they expire, and only requests that are part of the copy read them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from redis.exceptions import ResponseError

from app.errors import StoreUnavailable
from app.stores import dump, keys
from app.stores.dump import PoolDump, Record, Rows
from app.stores.scripts import Scripts

BATCH = 500


class Staging:
    """One restore of one pool: `begin`, any number of `stage` and `stage_entries`, `finish`."""

    def __init__(self, scripts: Scripts, pool: str) -> None:
        self._scripts = scripts
        self._client = scripts.client
        self._pool = pool
        self._dump = PoolDump(scripts, pool)
        self._run = secrets.token_hex(8)
        self._last_id = "0-0"

    def now_ms(self) -> int:
        """Return the time of Redis in Unix ms, rounded down to a second."""
        return int(self._client.time()[0]) * 1000

    def begin(self) -> None:
        """Delete the staged keys of earlier runs, and list the keys that this one replaces."""
        self._client.set(keys.restore_by(self._pool), self._run)
        newest = self._client.xrevrange(keys.ledger(self._pool), count=1)
        self._last_id = newest[0][0] if newest else "0-0"
        root = keys.root(self._pool)
        pipeline = self._client.pipeline(transaction=False)
        for name in list(self._dump.names(excluded=dump.MARKERS)):
            if dump.is_one_of(name, ("restore:", "restore-old:")):
                pipeline.unlink(root + name)
            elif name != "restore-by":
                pipeline.sadd(keys.replaced_names(self._pool, self._run), name)
            self._send(pipeline, BATCH)
        self._send(pipeline)

    def stage(self, records: Iterable[Record]) -> None:
        """Stage *records*; pages of one stream are in order."""
        pipeline = self._client.pipeline(transaction=False)
        for record in records:
            self._add(pipeline, record)
            self._send(pipeline, BATCH)
        self._send(pipeline)

    def stage_entries(self, entries: Rows) -> None:
        """Stage ledger entries with their ids."""
        self.stage([Record(dump.LEDGER, "stream", entries)])

    def set_ledger_position(self, last_id: str, added: str, deleted: str) -> None:
        """Set the ledger's last id and its counts, so that entries removed by age do not look lost."""
        key = keys.staged(self._pool, self._run, dump.LEDGER)
        counts = ["ENTRIESADDED", added, "MAXDELETEDID", deleted] if added else []
        if self._client.exists(key):
            try:
                self._client.execute_command("XSETID", key, last_id, *counts)
            except StoreUnavailable as error:
                if not isinstance(error.__cause__, ResponseError):
                    raise
                # Redis 6.2 accepts only the last id.
                self._client.execute_command("XSETID", key, last_id)

    def stage_newer(self, name: str) -> None:
        """Stage the entries of the stream *name* that are newer than the staged ones."""
        staged = self._client.xrevrange(keys.staged(self._pool, self._run, name), count=1)
        for entries in self._dump.stream(name, f"({staged[0][0]}" if staged else "-"):
            self.stage([Record(name, "stream", entries)])

    def finish(self, backup: str, *, replace: bool) -> str:
        """Swap the staged keys in; return `done`, `occupied` or `taken`, see restore_swap.lua."""
        args = {"run": self._run, "backup": backup, "last_id": self._last_id, "replace": replace}
        outcome = self._scripts.run_raw("restore_swap", self._pool, args)
        if outcome == "done":
            register_pool(self._scripts, self._pool)
        if outcome == "occupied":
            self.discard()
        return outcome

    def discard(self) -> None:
        """Delete the staged keys."""
        root = keys.root(self._pool)
        pipeline = self._client.pipeline(transaction=False)
        for name in list(self._dump.names(excluded=dump.MARKERS)):
            if name.startswith((f"restore:{self._run}", f"restore-old:{self._run}")):
                pipeline.unlink(root + name)
            self._send(pipeline, BATCH)
        self._send(pipeline)

    def _add(self, pipeline: Any, record: Record) -> None:
        if record.expires_ms and dump.is_one_of(record.name, dump.MARKERS):
            pipeline.set(keys.root(self._pool) + record.name, record.value, nx=True, pxat=record.expires_ms)
            return
        key = keys.staged(self._pool, self._run, record.name)
        if record.kind == "string":
            pipeline.set(key, record.value)
        elif record.kind == "hash":
            pipeline.hset(key, mapping=record.value)
        elif record.kind == "zset":
            pipeline.zadd(key, record.value)
        elif record.kind == "set":
            pipeline.sadd(key, *record.value)
        elif record.kind == "list":
            pipeline.rpush(key, *record.value)
        else:
            for entry_id, fields in record.value:
                pipeline.xadd(key, fields, id=entry_id)
        if record.expires_ms:
            pipeline.pexpireat(key, record.expires_ms)
        pipeline.sadd(keys.staged_names(self._pool, self._run), record.name)

    def _send(self, pipeline: Any, at_least: int = 1) -> None:
        if len(pipeline) >= at_least:
            pipeline.execute()


def register_pool(scripts: Scripts, pool: str) -> None:
    """Add *pool* to the set of pools, which is in another cluster slot and so not a part of the swap."""
    if pool != keys.SYSTEM:
        scripts.client.sadd(keys.POOLS, pool)


def restored_backup(scripts: Scripts, pool: str) -> str:
    """Return the id of the backup that *pool* was restored from; '' if it was not."""
    return scripts.client.hget(keys.pool(pool), "restored") or ""


def count_contents(scripts: Scripts, pool: str) -> dict[str, int]:
    """Return what a replacement of *pool* would delete, as {noun: count} without zeros."""
    root = keys.root(pool)
    pipeline = scripts.client.pipeline(transaction=False)
    pipeline.hlen(keys.account_names(pool))
    pipeline.hlen(keys.key_names(pool))
    pipeline.xlen(keys.ledger(pool))
    pipeline.scard(root + "operators")
    pipeline.hlen(root + "admin-tokens")
    counts = pipeline.execute()
    by_noun = dict(zip(("accounts", "keys", "ledger rows", "operators", "admin tokens"), counts, strict=True))
    return {name: count for name, count in by_noun.items() if count}
