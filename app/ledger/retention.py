"""
How long the books are kept.

Ledger rows, and what hours come to, go after the days that a pool's setting says; what days come to
is kept for two years, and what a key has used ever for ever. So memory stops growing, and charts and
budgets lose nothing.
"""

from __future__ import annotations

from typing import Any

from app.stores import keys, rollups
from app.stores.client import store_errors
from app.stores.scripts import Scripts

DAY_SECONDS = 86400
KEEP_DAY_TOTALS = 800  # days: two whole calendar years, and some
LONGEST_SECONDS = DAY_SECONDS  # from a request's beginning, whose hour it counts for, to its row
AT_ONCE = 10_000  # rows that one command removes: a millisecond or two in which Redis does nothing else


class Retention:
    def __init__(self, scripts: Scripts) -> None:
        self._client = scripts.client

    def trim(self, pool: str, keep_days: int, now: float) -> int:
        """
        Remove what of *pool*'s books is older than *keep_days*, and return how many rows that were.

        May run twice at once, and end anywhere: the next run goes on.
        """
        since = int(now) - keep_days * DAY_SECONDS
        removed = 0
        while gone := self._trim_once(pool, since, approximate=True, limit=AT_ONCE):
            removed += gone
        removed += self._trim_once(pool, since, approximate=False)  # part of one node: a hundred at most
        self._drop_totals(pool, rollups.HOUR, since - LONGEST_SECONDS)
        self._drop_totals(pool, rollups.DAY, int(now) - KEEP_DAY_TOTALS * DAY_SECONDS)
        return removed

    def _trim_once(self, pool: str, since: int, **how: Any) -> int:
        with store_errors():
            gone: int = self._client.xtrim(keys.ledger(pool), minid=f"{since}000", **how)
            return gone

    def _drop_totals(self, pool: str, span: str, before: int) -> None:
        """Remove the totals of what was over *before*, in Unix seconds."""
        for start in rollups.starts(self._client, pool, span):
            if start >= before:
                return
            with store_errors():
                self._client.unlink(keys.rollup(pool, span, start), keys.summary(pool, span, start))
                self._client.zrem(keys.rollup_starts(pool, span), start)
