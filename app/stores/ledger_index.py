"""The index of the ledger in Redis: one hash for each block of entries, and the list of the blocks."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import orjson
from redis.client import NEVER_DECODE

from app.stores import keys
from app.stores.scripts import Scripts

STAGED_SECONDS = 600  # when a hash expires that was not added to the list
FIELDS_AT_ONCE = 500  # most fields that one command writes

Fields = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class IndexBlock:
    """Consecutive entries of the ledger, from the id `first` to the id `last`; `name` is that of its hash."""

    first: str
    last: str
    count: int
    name: str

    @classmethod
    def parse(cls, text: str) -> IndexBlock:
        first, last, count, name = text.split()
        return cls(first, last, int(count), name)

    def __str__(self) -> str:
        return f"{self.first} {self.last} {self.count} {self.name}"


class LedgerIndexRepository:
    """The indexes of all pools. Values are binary."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._client = scripts.client

    def blocks(self, pool: str) -> list[IndexBlock]:
        """Return the indexed blocks, oldest first; there is no gap between them."""
        return [IndexBlock.parse(text) for text in self._client.lrange(keys.ledger_index(pool), 0, -1)]

    def restored_by(self, pool: str) -> str:
        """Return the id of the restore run that replaced the ledger, '' for none; `add` checks it."""
        return self._client.hget(keys.pool(pool), "restored_by") or ""

    def write(self, pool: str, first: str, last: str, count: int, fields: Fields) -> IndexBlock:
        """Write the hash of a block, which expires unless `add` follows."""
        block = IndexBlock(first, last, count, secrets.token_hex(8))
        key, items = keys.index_block(pool, block.name), iter(fields.items())
        pipeline = self._client.pipeline(transaction=False)
        while some := dict(islice(items, FIELDS_AT_ONCE)):
            pipeline.hset(key, mapping=some)
            pipeline.expire(key, STAGED_SECONDS)
        pipeline.execute()
        return block

    def add(self, pool: str, block: IndexBlock, *, after: str, restored_by: str) -> bool:
        """
        Add *block*, which follows the entry *after* ('' for none), to the list.

        Returns False if it does not follow the newest block, or the pool was restored since *restored_by*
        was read.
        """
        args = {
            **{"block": block.name, "first": block.first, "last": block.last, "count": block.count},
            **{"after": after, "restored": restored_by},
        }
        return bool(self._scripts.run("add_index_block", pool, orjson.dumps(args)))

    def read(
        self, pool: str, blocks: Sequence[IndexBlock], names: Sequence[bytes]
    ) -> list[list[bytes | None]]:
        """Return the fields *names* of each of *blocks*, None for absent ones. One round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for block in blocks:
            key = keys.index_block(pool, block.name)
            pipeline.execute_command("HMGET", key, *names, **{NEVER_DECODE: True})
        rows: list[list[bytes | None]] = pipeline.execute()
        return rows

    def is_damaged(self, pool: str, blocks: Sequence[IndexBlock]) -> bool:
        """Return whether the hash of any of *blocks* does not exist."""
        pipeline = self._client.pipeline(transaction=False)
        for block in blocks:
            pipeline.exists(keys.index_block(pool, block.name))
        return not all(pipeline.execute())

    def remove_oldest(self, pool: str, blocks: Sequence[IndexBlock]) -> None:
        """Remove *blocks*, the oldest of the list."""
        pipeline = self._client.pipeline(transaction=True)
        for block in blocks:
            pipeline.lrem(keys.ledger_index(pool), 1, str(block))
            pipeline.unlink(keys.index_block(pool, block.name))
        pipeline.execute()

    def clear(self, pool: str, blocks: Sequence[IndexBlock]) -> None:
        """Remove the complete index, which consists of *blocks*."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.delete(keys.ledger_index(pool))
        for block in blocks:
            pipeline.unlink(keys.index_block(pool, block.name))
        pipeline.execute()
