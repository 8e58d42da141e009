"""
The index of the ledger: which entries of each complete block have a value.

Blocks are consecutive, from the oldest entry on. A background job writes them from entries that never change,
so requests pay nothing for them. Entries that are newer than the last block are not indexed yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from operator import or_

from app.ledger.index_block import (
    COST,
    COUNT,
    DURATION,
    IDS,
    REQUEST,
    at_least,
    decode_positions,
    encode_block,
    equal_to,
    everything,
    field_name,
    id_digest,
    positions_in,
    read_ids,
    terms_of_query,
)
from app.ledger.query import LedgerQuery
from app.stores.ledger import LedgerRepository
from app.stores.ledger_index import IndexBlock, LedgerIndexRepository
from app.stores.records.ledger import LedgerEntry, StoredEntry, position_of
from app.yielding import end_turn

BLOCK_ENTRIES = 4096
READ_AT_ONCE = 512  # entries
FIRST_BATCH, MAX_BATCH = 8, 256  # blocks that one round trip reads

Position = tuple[int, int]  # (Unix ms, number) of an entry's id
Values = Sequence[bytes | None]


class BlockMissing(Exception):
    """A block was removed after the list of blocks was read: with its entries, or by a restore."""

    def __init__(self, block: IndexBlock) -> None:
        super().__init__(block.name)
        self.block = block


@dataclass(frozen=True, slots=True)
class IndexLookup:
    """Conditions for the entries of a block: one field of each list, and numbers in columns."""

    any_of: list[list[bytes]]
    minimums: list[tuple[bytes, int]]
    values: list[tuple[bytes, list[int]]]  # one of the numbers

    @classmethod
    def of_query(cls, query: LedgerQuery) -> IndexLookup:
        any_of = [[field_name(term) for term in terms] for terms in terms_of_query(query)]
        minimums = [(DURATION, query.min_ms), (COST, query.min_cost)]
        return cls(any_of, [(name, minimum) for name, minimum in minimums if minimum], [])

    @classmethod
    def of_requests(cls, request_ids: Iterable[str]) -> IndexLookup:
        return cls([], [], [(REQUEST, list(map(id_digest, request_ids)))])

    def __bool__(self) -> bool:
        """Whether there are any conditions."""
        return bool(self.any_of or self.minimums or self.values)

    @property
    def fields(self) -> list[bytes]:
        """Return the fields of a block that `bitmap` needs, after COUNT."""
        columns = [name for name, _ in (*self.minimums, *self.values)]
        return [name for names in self.any_of for name in names] + columns

    def bitmap(self, count: int, values: Values) -> int:
        """Return which of *count* entries match; *values* are those of `fields`."""
        remaining = iter(values)
        found = everything(count)
        for names in self.any_of:
            found &= reduce(or_, map(decode_positions, islice(remaining, len(names))))
        for _, minimum in self.minimums:
            found &= at_least(next(remaining) or b"", count, minimum)
        for _, numbers in self.values:
            found &= equal_to(next(remaining) or b"", count, numbers)
        return found


class LedgerIndex:
    """Writes and reads the index of every pool."""

    def __init__(self, ledger: LedgerRepository, index: LedgerIndexRepository) -> None:
        self._ledger = ledger
        self._index = index

    def blocks(self, pool: str) -> list[IndexBlock]:
        """Return the indexed blocks, the oldest first."""
        return self._index.blocks(pool)

    def extend(self, pool: str, block_entries: int = 0) -> int:
        """
        Index the complete blocks after the newest one; return their number.

        A block has *block_entries*, 0 for BLOCK_ENTRIES. Concurrent runs are safe: a block that another
        process has added is not added again.
        """
        size = block_entries or BLOCK_ENTRIES
        restored_by = self._index.restored_by(pool)
        blocks = self._index.blocks(pool)
        after, added = blocks[-1].last if blocks else "", 0
        while len(entries := self._entries_after(pool, after, size)) == size:
            fields = encode_block([LedgerEntry.parse(entry) for entry in entries])
            block = self._index.write(pool, entries[0].id, entries[-1].id, len(entries), fields)
            if not self._index.add(pool, block, after=after, restored_by=restored_by):
                break
            after, added = block.last, added + 1
            end_turn()
        return added

    def _entries_after(self, pool: str, after: str, count: int) -> list[StoredEntry]:
        pages = self._ledger.read_all(pool, min(READ_AT_ONCE, count), after=after)
        return list(islice((entry for page in pages for entry in page), count))

    def trim(self, pool: str) -> int:
        """
        Remove the blocks whose entries have been removed; return their number.

        If the hash of another block is missing, remove the entire index: `extend` writes it again.
        """
        blocks = self._index.blocks(pool)
        oldest = self._ledger.read_forwards(pool, 1)
        first = position_of(oldest[0].id) if oldest else None
        removed = [block for block in blocks if first is None or position_of(block.last) < first]
        if self._index.is_damaged(pool, blocks[len(removed) :]):
            self._index.clear(pool, blocks)
            return len(blocks)
        self._index.remove_oldest(pool, removed)
        return len(removed)

    def find(
        self, pool: str, lookup: IndexLookup, blocks: Sequence[IndexBlock], at_least: int
    ) -> Iterator[Iterator[Position]]:
        """
        Yield the positions of the entries in each of *blocks* that match *lookup*, the newest first.

        *blocks* are in that order as well. Ids are read together for *at_least* entries, which may have been
        removed. Raises BlockMissing.
        """
        size, start = FIRST_BATCH, 0
        while batch := blocks[start : start + size]:
            yield from self._find_in(pool, lookup, batch, at_least)
            start, size = start + size, min(2 * size, MAX_BATCH)

    def _find_in(
        self, pool: str, lookup: IndexLookup, batch: Sequence[IndexBlock], at_least: int
    ) -> Iterator[Iterator[Position]]:
        bitmaps = []
        for block, (count, *values) in zip(
            batch, self._index.read(pool, batch, [COUNT, *lookup.fields]), strict=True
        ):
            bitmaps.append((block, None if count is None else lookup.bitmap(block.count, values)))
        ids: dict[str, bytes] = {}
        for number, (block, bitmap) in enumerate(bitmaps):
            if bitmap is None:
                raise BlockMissing(block)
            if bitmap and block.name not in ids:
                ids |= self._read_ids(pool, _enough(bitmaps[number:], at_least))
            yield read_ids(ids[block.name], positions_in(bitmap)) if bitmap else iter(())

    def _read_ids(self, pool: str, blocks: Sequence[IndexBlock]) -> dict[str, bytes]:
        ids = {}
        for block, (stored,) in zip(blocks, self._index.read(pool, blocks, [IDS]), strict=True):
            if stored is None:
                raise BlockMissing(block)
            ids[block.name] = stored
        return ids


def _enough(bitmaps: Sequence[tuple[IndexBlock, int | None]], entries: int) -> list[IndexBlock]:
    """Return the first blocks with matches, until these are *entries* or more."""
    blocks, count = [], 0
    for block, bitmap in bitmaps:
        if bitmap is None or count >= entries:
            break
        if bitmap:
            blocks.append(block)
            count += bitmap.bit_count()
    return blocks
