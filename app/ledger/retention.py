"""
Removes what is older than a pool retains.

Ledger entries and roll-ups of hours are removed after the pool's number of days; roll-ups of days after
two years; what an API key has used in all never. So memory stops growing, and charts and budgets stay.
"""

from __future__ import annotations

from app.stores.ledger import LedgerRepository
from app.stores.rollups import DAY, HOUR

DAY_SECONDS = 86400
DAY_TOTALS_DAYS = 800  # two calendar years, and some
MAX_REQUEST_SECONDS = DAY_SECONDS  # from a request's beginning, whose hour it counts for, to its entry
MAX_REMOVED = 10_000  # entries that one command removes, in a millisecond or two


class Retention:
    def __init__(self, ledger: LedgerRepository) -> None:
        self._ledger = ledger

    def trim(self, pool: str, keep_days: int, now: float) -> int:
        """
        Remove what is older than *keep_days* from *pool*; return how many ledger entries that were.

        May run twice at once, and end anywhere: the next run continues.
        """
        since = int(now) - keep_days * DAY_SECONDS
        total = 0
        while removed := self._ledger.remove_before(pool, since, limit=MAX_REMOVED):
            total += removed
        total += self._ledger.remove_before(pool, since)  # part of one node: a hundred at most
        self._remove_rollups(pool, HOUR, since - MAX_REQUEST_SECONDS)
        self._remove_rollups(pool, DAY, int(now) - DAY_TOTALS_DAYS * DAY_SECONDS)
        return total

    def _remove_rollups(self, pool: str, span: str, before: int) -> None:
        """Remove the roll-ups that began before *before*, in Unix seconds."""
        for start in self._ledger.rollups.starts(pool, span):
            if start >= before:
                return
            self._ledger.rollups.remove(pool, span, start)
