"""The requests of a pool as they end: the newest ones, then what is recorded next."""

from __future__ import annotations

from dataclasses import replace

from app.ledger.query import LedgerQuery
from app.ledger.search import LedgerSearch
from app.stores.records.ledger import LedgerEntry

OVERLAP_SECONDS = 1  # by which the clock of the store may be set back
MAX_NEW = 2000  # most entries of one call: of a pool that is busier than that, the newest


class LedgerTail:
    """
    Returns each entry that matches *query* once, oldest first.

    Entries come from two streams, the ledger and the refusal log, each with ascending ids: one position in
    each is remembered.
    """

    def __init__(self, search: LedgerSearch, pool: str, query: LedgerQuery) -> None:
        self._search = search
        self._pool = pool
        self._query = query
        self._shown = {False: (0, -1), True: (0, -1)}  # positions, by whether the entry is a refusal

    def begin(self, number: int) -> list[LedgerEntry]:
        """Return the newest *number* entries. Only what is recorded after this call is new."""
        entries = self._read(self._query, max(number, 1))
        if entries:
            since = (entries[-1].position[0], -1)
            self._shown = {kind: max(position, since) for kind, position in self._shown.items()}
        return entries if number else []

    def new(self) -> list[LedgerEntry]:
        """Return what was recorded since the last call, at most MAX_NEW entries."""
        newest_ms = max(position[0] for position in self._shown.values())
        since = max(self._query.since or 0, newest_ms / 1000 - OVERLAP_SECONDS, 0)
        return self._read(replace(self._query, since=since), MAX_NEW)

    def _read(self, query: LedgerQuery, number: int) -> list[LedgerEntry]:
        entries: list[LedgerEntry] = []
        cursor = None
        while len(entries) < number:
            page = self._search.search(self._pool, query, cursor, number - len(entries))
            entries += [entry for entry in page.entries if entry.position > self._shown[entry.is_refused]]
            if (cursor := page.cursor) is None:
                break
        for entry in entries:
            self._shown[entry.is_refused] = max(self._shown[entry.is_refused], entry.position)
        return entries[::-1]
