"""
Removes data that is older than a pool retains it.

Ledger entries and hourly roll-ups are removed after the pool's number of days; daily roll-ups after two
years; the total usage of an API key never. So memory stops growing, and charts and budgets remain.
"""

from __future__ import annotations

from app.stores.ledger import LedgerRepository
from app.stores.rollups import DAY, HOUR

DAY_SECONDS = 86400
DAY_TOTALS_DAYS = 800  # two calendar years, and some
MAX_REQUEST_SECONDS = DAY_SECONDS  # from the start of a request, in whose hour it counts, to its entry
MAX_REMOVED = 10_000  # entries that one command removes, in a millisecond or two


class Retention:
    def __init__(self, ledger: LedgerRepository) -> None:
        self._ledger = ledger

    def trim(self, pool: str, keep_days: int, now: float) -> int:
        """
        Remove data older than *keep_days* from *pool*; return the number of removed ledger entries.

        Concurrent runs are safe, and so is a run that ends early: the next run continues.
        """
        since = int(now) - keep_days * DAY_SECONDS
        total = 0
        while removed := self._ledger.remove_before(pool, since, limit=MAX_REMOVED):
            total += removed
        total += self._ledger.remove_before(pool, since)  # the rest within one node, at most a hundred
        self._remove_rollups(pool, HOUR, since - MAX_REQUEST_SECONDS)
        self._remove_rollups(pool, DAY, int(now) - DAY_TOTALS_DAYS * DAY_SECONDS)
        return total

    def _remove_rollups(self, pool: str, span: str, before: int) -> None:
        """Remove the roll-ups that began before *before*, in Unix seconds."""
        for start in self._ledger.rollups.starts(pool, span):
            if start >= before:
                return
            self._ledger.rollups.remove(pool, span, start)
