"""
Verify the ledger: add up its entries, and compare every stored total with the sums.

This is exact even while requests are being settled: each total is read together with the newest entry's id,
and compared with the entries up to that one. Totals from before the oldest remaining entry are skipped,
because some of their entries may have been removed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from app.ledger.attempts import attempt_figures
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import (
    CHARGED,
    EVER,
    FALLBACK_FIGURES,
    FIGURES,
    UNREPORTED,
    Row,
    Total,
    UsageSource,
)
from app.stores.rollups import DAY, HOUR

PAGE = 1000  # entries read at a time
HOUR_MS = 3_600_000
_SUMMED = (*FIGURES, *UNREPORTED, *FALLBACK_FIGURES)


@dataclass(frozen=True, slots=True)
class Difference:
    total: Total
    figure: str  # `key|account|model|name`, or the name alone
    booked: int
    recomputed: int


class RowSums:
    """
    Sums of the entries after *after* for every total that they belong to, as far as they have been read.
    """

    def __init__(self, ledger: LedgerRepository, pool: str, after: str = "") -> None:
        self._ledger = ledger
        self._pool = pool
        self._last_id = after
        self.sums: dict[Total, Counter[str]] = defaultdict(Counter)
        self.rows = 0

    def read(self, newest: str, progress: Callable[[int], None] = lambda _: None) -> None:
        """
        Add up the entries after the last one that was read, up to *newest*.

        *progress* is called with the number of entries of each page.
        """
        for entries in self._ledger.read_all(self._pool, PAGE, after=self._last_id, newest=newest):
            for entry in entries:
                self._add(orjson.loads(entry.row))
                self._last_id = entry.id
            self.rows += len(entries)
            progress(len(entries))

    def _add(self, row: Row) -> None:
        hour = Total(HOUR, int(row["at_ms"] - row["at_ms"] % HOUR_MS) // 1000)
        day = Total(DAY, int(row["day_ms"]) // 1000)
        ever = Total(EVER, key_id=row["key"])
        model = row.get("counted_as", row["model"])
        for account, figures in shares(row):
            owner = f"{row['key']}|{account}|{model}|"
            totals = [(hour, owner), (day, owner), (ever, "")]
            if row.get("team"):
                of_team = f"{row['team']}|{account}|{model}|"
                totals += [(total._replace(by_team=True), of_team) for total in (hour, day)]
            for total, prefix in totals:
                sums = self.sums[total]
                for name, amount in figures.items():
                    sums[prefix + name] += amount
        for account, figures in attempt_figures(row).items():
            for total in (hour, day):
                for name, amount in figures.items():
                    self.sums[total][f"{row['key']}|{account}|{model}|{name}"] += amount


def shares(row: Row) -> list[tuple[str, Counter[str]]]:
    """
    Return what *row* counts for each account; lua/requests.lua computes the same.

    A failed attempt that may have been billed counts for its own account, but not as a request.
    """
    own = Counter({name: int(row[name]) for name in _SUMMED if _is_number(row.get(name))})
    by_account = [(str(row["account"]), own)]
    if row["source"] == UsageSource.CORRECTED:
        own["errors"] = row.get("errors", 0)
        return by_account  # only those of the last attempt
    own["requests"] = 1
    own["errors"] = int(row["status"] >= 400)
    for attempt in row.get("charges") or row.get("attempts") or ():
        if "input_tokens" in attempt:
            figures = {name: int(attempt[name]) for name in (*CHARGED, *UNREPORTED) if name in attempt}
            own.subtract(figures)
            by_account.append((attempt["account"], Counter(figures)))
    return by_account


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


class Verification:
    """Verifies the ledger of one pool; after `differences`, the counts are those of what was compared."""

    def __init__(self, ledger: LedgerRepository, pool: str) -> None:
        self._ledger = ledger
        self._pool = pool
        self._sums = RowSums(ledger, pool)
        self._complete_from_ms = 0
        self.totals = 0
        self.skipped = 0

    @property
    def rows(self) -> int:
        return self._sums.rows

    def differences(self, progress: Callable[[int], None] = lambda _: None) -> list[Difference]:
        """
        Return every figure that is not the sum of its entries; if none, the ledger balances.

        *progress* is called with the number of entries of each page.
        """
        self._complete_from_ms = self._ledger.complete_from_ms(self._pool)
        self._sums.read("+", progress)
        differences: list[Difference] = []
        done: set[Total] = set()
        while pending := (set(self._stored_totals()) | set(self._sums.sums)) - done:
            for total in sorted(pending):
                if self._is_complete(total):
                    differences += self._compare(total)
                    self.totals += 1
                else:
                    self.skipped += 1
            done |= pending
        return differences

    def _stored_totals(self) -> Iterator[Total]:
        for span in (HOUR, DAY):
            for start in self._ledger.rollups.starts(self._pool, span):
                yield Total(span, start)
                if self._ledger.has_teams(self._pool, span, start):
                    yield Total(span, start, by_team=True)
        for key_id in self._ledger.keys_with_usage(self._pool):
            yield Total(EVER, key_id=key_id)

    def _is_complete(self, total: Total) -> bool:
        return total.start * 1000 >= self._complete_from_ms

    def _compare(self, total: Total) -> list[Difference]:
        stored, newest = self._ledger.total(self._pool, total)
        if newest:
            self._sums.read(newest)
        sums = self._sums.sums[total]
        return [
            Difference(total, figure, stored.get(figure, 0), sums[figure])
            for figure in sorted(stored.keys() | sums.keys())
            if stored.get(figure, 0) != sums[figure]
        ]
