"""
Search the ledger and the refusal log together, newest first.

Indexed entries are found by the index. The others are scanned; one call scans a bounded number, so while a
large ledger is being indexed, a rare match takes several calls. Times are when requests ended, which is the
order of both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from app.errors import InvalidRequest
from app.ledger.index import BlockMissing, IndexLookup, LedgerIndex
from app.ledger.query import LedgerQuery
from app.stores.ledger import LedgerRepository
from app.stores.ledger_index import IndexBlock
from app.stores.records.ledger import LedgerEntry, StoredEntry, is_entry_id, position_of
from app.stores.refusals import RefusalRepository

PAGE = 500  # entries read at a time
MAX_SCANNED = 5000  # entries that one call scans, in some 50 ms
MAX_BLOCKS = 4096  # blocks that one call reads, for some 16 million entries
_PLAIN = re.compile(r"[ !#-.0-\[\]-~]+")  # text that no JSON writer escapes: ASCII except " / and \

Position = tuple[int, int]  # (Unix ms, number) of an entry's id


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Matches, newest first; `cursor` is where the next page begins, None at the end."""

    entries: list[LedgerEntry]
    cursor: str | None
    scanned: int  # entries that were read


@dataclass(frozen=True, slots=True)
class _Window:
    """Entries from *since* to before *before*; None: no bound."""

    since: Position
    before: Position | None

    @classmethod
    def of(cls, query: LedgerQuery, cursor: str) -> _Window:
        since = (0 if query.since is None else int(query.since * 1000), 0)
        if cursor:
            return cls(since, position_of(cursor))
        return cls(since, None if query.until is None else (int(query.until * 1000) + 1, 0))

    def after(self, position: Position) -> _Window:
        """Return the window of its entries that are newer than *position*."""
        return _Window(max(self.since, _next(position)), self.before)

    def within(self, block: IndexBlock) -> _Window:
        """Return the window of its entries that are in *block*."""
        before = _next(position_of(block.last))
        since = max(self.since, position_of(block.first))
        return _Window(since, before if self.before is None else min(before, self.before))

    def overlaps(self, block: IndexBlock) -> bool:
        is_before = self.before is None or position_of(block.first) < self.before
        return is_before and position_of(block.last) >= self.since

    def contains(self, position: Position) -> bool:
        return position >= self.since and (self.before is None or position < self.before)


class LedgerSearch:
    """Searches the ledger and the refusal log of a pool."""

    def __init__(self, ledger: LedgerRepository, refusals: RefusalRepository, index: LedgerIndex) -> None:
        self._ledger = ledger
        self._refusals = refusals
        self._index = index

    def search(
        self, pool: str, query: LedgerQuery, cursor: str | None = None, page_size: int = 50
    ) -> LedgerPage:
        """
        Return the newest entries before *cursor* that match *query*.

        Rows of refused requests have `refused` and `message`, and no usage. Raises InvalidRequest.
        """
        query.check()
        cursor = checked_entry(cursor or "", "cursor")
        settled = LedgerPage([], None, 0)
        if not query.refused:
            settled = _LedgerSearchRun(self._ledger, self._index, pool, query, page_size).run(cursor)
        refused = self._search_refusals(pool, query, cursor)
        if settled.cursor is not None:  # older refusals belong to a later page
            end = position_of(settled.cursor)
            refused = [entry for entry in refused if entry.position >= end]
        entries = sorted(settled.entries + refused, key=lambda entry: entry.position, reverse=True)
        scanned = settled.scanned + len(refused)
        if len(entries) <= page_size:
            return LedgerPage(entries, settled.cursor, scanned)
        last = entries[page_size - 1]
        page = [entry for entry in entries if entry.position >= last.position]
        has_more = len(page) < len(entries) or settled.cursor is not None
        return LedgerPage(page, last.id if has_more else None, scanned)

    def _search_refusals(self, pool: str, query: LedgerQuery, cursor: str) -> list[LedgerEntry]:
        if query.account or query.tried or query.status == "ok":
            return []
        before = position_of(cursor) if cursor else None
        return [
            refusal.entry
            for refusal in self._refusals.entries(pool)
            if query.matches(refusal.entry)
            and query.is_in_time(refusal.entry)
            and (before is None or refusal.entry.position < before)
        ]


class _LedgerSearchRun:
    """One search of the ledger for one page."""

    def __init__(
        self, ledger: LedgerRepository, index: LedgerIndex, pool: str, query: LedgerQuery, page_size: int
    ) -> None:
        self._ledger = ledger
        self._index = index
        self._pool = pool
        self._query = query
        self._page_size = page_size
        self._scanned = 0
        self._stopped_at: str | None = None  # the id at which the search reached its bound

    def run(self, cursor: str) -> LedgerPage:
        match, read = _matcher(self._query), 0
        matches: list[LedgerEntry] = []
        for stored in self._candidates(_Window.of(self._query, cursor)):
            read += 1
            if (entry := match(stored)) is not None:
                if len(matches) == self._page_size:
                    return LedgerPage(matches, matches[-1].id, read)
                matches.append(entry)
        return LedgerPage(matches, self._stopped_at, read)

    def _candidates(self, window: _Window) -> Iterator[StoredEntry]:
        """Yield entries in *window*, newest first, without most of those that cannot match."""
        lookup = IndexLookup.of_query(self._query)
        blocks: Sequence[IndexBlock] = self._index.blocks(self._pool)[::-1] if lookup else ()
        yield from self._scan(window.after(position_of(blocks[0].last)) if blocks else window)
        blocks = [block for block in blocks if window.overlaps(block)]
        while blocks and self._stopped_at is None:
            blocks = yield from self._look_up(window, lookup, blocks)

    def _scan(self, window: _Window) -> Iterator[StoredEntry]:
        newest, oldest = "+" if window.before is None else f"({_id(window.before)}", _id(window.since)
        if window.before is not None and window.before <= window.since:
            return
        while self._scanned < MAX_SCANNED:
            stored = self._ledger.read_backwards(self._pool, PAGE, newest=newest, oldest=oldest)
            yield from stored
            if len(stored) < PAGE:
                return
            newest = f"({stored[-1].id}"
            self._scanned += PAGE
        self._stopped_at = newest.removeprefix("(")

    def _look_up(
        self, window: _Window, lookup: IndexLookup, blocks: Sequence[IndexBlock]
    ) -> Generator[StoredEntry, None, Sequence[IndexBlock]]:
        """Yield what the index finds in *blocks*, newest first; return the blocks that were not read."""
        page = self._page_size + 1
        try:
            for found in self._index.find(self._pool, lookup, blocks[:MAX_BLOCKS], page):
                ids = (_id(position) for position in found if window.contains(position))
                while some := list(islice(ids, page)):
                    yield from self._ledger.read(self._pool, some)
        except BlockMissing as missing:
            yield from self._scan(window.within(missing.block))
            return blocks[blocks.index(missing.block) + 1 :]
        if len(blocks) > MAX_BLOCKS:
            self._stopped_at = blocks[MAX_BLOCKS - 1].first
        return ()


def checked_entry(text: str, param: str = "entry") -> str:
    """Return *text* if it is '' or the id of an entry. Raises InvalidRequest."""
    if text and not is_entry_id(text):
        raise InvalidRequest(f"This is no {param} from an earlier response", param=param)
    return text


def _matcher(query: LedgerQuery) -> Callable[[StoredEntry], LedgerEntry | None]:
    """Return a function that parses an entry if it matches; it first checks the text, which is cheaper."""
    values = (
        *query.texts.values(),
        *(query.requested, query.tried),
        *query.labels,
        *query.labels.values(),
    )
    texts = [f'"{value}"' for value in values if _PLAIN.fullmatch(value)]  # other characters may be escaped

    def match(stored: StoredEntry) -> LedgerEntry | None:
        if any(text not in stored.row for text in texts):
            return None
        entry = LedgerEntry.parse(stored)
        return entry if query.matches(entry) else None

    return match


def _id(position: Position) -> str:
    return f"{position[0]}-{position[1]}"


def _next(position: Position) -> Position:
    """Return the position after *position*."""
    return position[0], position[1] + 1
