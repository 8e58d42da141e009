"""
Put a copy of a pool in place: first beside the pool, then, in one step, where it is.

What is staged lies under names that nobody reads, so a run that breaks off changes nothing, and
the next one throws it away. The step itself is one script (`put_back`), so a pool is either what
it was or all of the copy; Redis runs a script to its end or, when it dies in it, not at all. Marks
alone (`copying.MARKS`), of which there may be a million, are put where they belong beforehand: they
are true wherever they stand, expire, and are asked for only by requests that the copy knows.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from redis.exceptions import ResponseError

from app.errors import StoreUnavailable
from app.stores import dump, keys
from app.stores.dump import Record, Rows
from app.stores.scripts import Scripts

AT_ONCE = 500


class Staging:
    """One run, over one pool. `begin`, any number of `put` and `rows`, `finish`."""

    def __init__(self, scripts: Scripts, pool: str) -> None:
        self._scripts = scripts
        self._client = scripts.client
        self._pool = pool
        self._run = secrets.token_hex(8)
        self._last_id = "0-0"

    def begin(self) -> None:
        """Throw away what a run before this one left, and look up what will have to go."""
        self._client.set(keys.restore_by(self._pool), self._run)
        newest = self._client.xrevrange(keys.ledger(self._pool), count=1)
        self._last_id = newest[0][0] if newest else "0-0"
        root = keys.root(self._pool)
        pipeline = self._client.pipeline(transaction=False)
        for name in list(dump.names(self._client, self._pool, but=dump.MARKS)):
            if dump.is_one_of(name, ("restore:", "restore-old:")):
                pipeline.unlink(root + name)
            elif name != "restore-by":
                pipeline.sadd(keys.replaced_names(self._pool, self._run), name)
            self._send(pipeline, AT_ONCE)
        self._send(pipeline)

    def put(self, records: Iterable[Record]) -> None:
        """Stage *records*; parts of one stream come one after the other."""
        pipeline = self._client.pipeline(transaction=False)
        for record in records:
            self._add(pipeline, record)
            self._send(pipeline, AT_ONCE)
        self._send(pipeline)

    def rows(self, entries: Rows) -> None:
        """Stage ledger entries under the ids that they have."""
        self.put([Record(dump.LEDGER, "stream", entries)])

    def ledger_was(self, last_id: str, added: str, deleted: str) -> None:
        """Set the ledger's last id and counts, so that removed entries are not taken for missing ones."""
        key = keys.staged(self._pool, self._run, dump.LEDGER)
        more = ["ENTRIESADDED", added, "MAXDELETEDID", deleted] if added else []
        if self._client.exists(key):
            try:
                self._client.execute_command("XSETID", key, last_id, *more)
            except StoreUnavailable as error:
                if not isinstance(error.__cause__, ResponseError):
                    raise
                # Redis 6.2 takes no more than the last id
                self._client.execute_command("XSETID", key, last_id)

    def keep_newer(self, stream: str) -> None:
        """Stage the entries of *stream*, a key of this pool, that came after those that are staged."""
        name = stream.removeprefix(keys.root(self._pool))
        staged = self._client.xrevrange(keys.staged(self._pool, self._run, name), count=1)
        for entries in dump.stream(self._client, stream, f"({staged[0][0]}" if staged else "-"):
            self.put([Record(name, "stream", entries)])

    def finish(self, backup: str, *, replace: bool) -> str:
        """Put what is staged in place; return `done`, `occupied` or `taken`, see restore_swap.lua."""
        ask = {"run": self._run, "backup": backup, "last_id": self._last_id, "replace": replace}
        outcome = self._scripts.run_raw("restore_swap", self._pool, ask)
        if outcome == "done":
            announce(self._client, self._pool)
        if outcome == "occupied":
            self.give_up()
        return outcome

    def give_up(self) -> None:
        """Throw away what was staged."""
        root = keys.root(self._pool)
        pipeline = self._client.pipeline(transaction=False)
        for name in list(dump.names(self._client, self._pool, but=dump.MARKS)):
            if name.startswith((f"restore:{self._run}", f"restore-old:{self._run}")):
                pipeline.unlink(root + name)
            self._send(pipeline, AT_ONCE)
        self._send(pipeline)

    def _add(self, pipeline: Any, record: Record) -> None:
        if record.expires_ms and dump.is_one_of(record.name, dump.MARKS):
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


def announce(client: Any, pool: str) -> None:
    """Put *pool* among those there are: another slot of a cluster, so not part of the one step."""
    if pool != keys.SYSTEM:
        client.sadd(keys.POOLS, pool)


def backup_in(client: Any, pool: str) -> str:
    """Return which backup *pool* was restored from; '' where it was not."""
    return client.hget(keys.pool(pool), "restored") or ""


def what_is_there(client: Any, pool: str) -> dict[str, int]:
    """Return what would be lost if *pool* were replaced: counts by name, those above zero."""
    root = keys.root(pool)
    pipeline = client.pipeline(transaction=False)
    pipeline.hlen(keys.account_names(pool))
    pipeline.hlen(keys.key_names(pool))
    pipeline.xlen(keys.ledger(pool))
    pipeline.scard(root + "operators")
    pipeline.hlen(root + "admin-tokens")
    counts = pipeline.execute()
    found = dict(zip(("accounts", "keys", "ledger rows", "operators", "admin tokens"), counts, strict=True))
    return {name: count for name, count in found.items() if count}
