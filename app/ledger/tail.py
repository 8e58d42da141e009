"""The requests of a pool as they end: the newest ones, then what is recorded next."""

from __future__ import annotations

from dataclasses import replace

from app.ledger.query import LedgerQuery
from app.ledger.search import LedgerSearch
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import LedgerEntry, position_of

OVERLAP_SECONDS = 1  # by which the clock of the store may be set back
MAX_NEW = 2000  # most entries of one call: of a pool that is busier than that, the newest


class LedgerTail:
    """
    Returns each entry that matches *query* once, oldest first.

    Entries come from two streams, the ledger and the refusal log, each with ascending ids: one position in
    each is remembered. A call reads from the newest entry of the ledger at the time of the last call,
    whether or not that matched.
    """

    def __init__(self, ledger: LedgerRepository, search: LedgerSearch, pool: str, query: LedgerQuery) -> None:
        self._ledger = ledger
        self._search = search
        self._pool = pool
        self._query = query
        self._read_until = (0, -1)  # position
        self._refused_until = (0, -1)

    def begin(self, number: int) -> list[LedgerEntry]:
        """Return the newest *number* entries. Only what is recorded after this call is new."""
        entries = self._read(self._query, max(number, 1))
        if entries:
            newest = (entries[-1].position[0], -1)
            self._read_until = max(self._read_until, newest)
            self._refused_until = max(self._refused_until, newest)
        return entries if number else []

    def new(self) -> list[LedgerEntry]:
        """Return what was recorded since the last call, at most MAX_NEW entries."""
        since = max(self._query.since or 0, self._read_until[0] / 1000 - OVERLAP_SECONDS, 0)
        return self._read(replace(self._query, since=since), MAX_NEW)

    def _read(self, query: LedgerQuery, number: int) -> list[LedgerEntry]:
        newest_id = self._ledger.newest_id(self._pool)
        entries: list[LedgerEntry] = []
        cursor = None
        while len(entries) < number:
            page = self._search.search(self._pool, query, cursor, number - len(entries))
            entries += filter(self._is_new, page.entries)
            if (cursor := page.cursor) is None:
                break
        settled = [position_of(newest_id)] if newest_id != "0" else []
        settled += [entry.position for entry in entries if not entry.is_refused]
        refused = [entry.position for entry in entries if entry.is_refused]
        self._read_until = max([self._read_until, *settled])
        self._refused_until = max([self._refused_until, *refused])
        return entries[::-1]

    def _is_new(self, entry: LedgerEntry) -> bool:
        return entry.position > (self._refused_until if entry.is_refused else self._read_until)
