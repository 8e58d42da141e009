"""
Do the books balance? Adds up the ledger's rows and compares every total that is kept of them.

Exact while requests are being settled: each total is read together with the newest row's id,
and compared with the rows up to that one. Totals from before the oldest row that is left are
not judged, because their rows may be gone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from app.ledger.attempts import attempt_figures
from app.stores import keys, rollups
from app.stores.client import store_errors

PAGE = 1000  # rows read at a time
HOUR_MS = 3_600_000
EVER = "ever"
FIGURES = (  # as in app/stores/lua/requests.lua
    *("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"),
    *("cost", "waste_cost", "first_ms", "total_ms"),
)
CHARGED = ("input_tokens", "output_tokens", "cost")  # what limits count
# What may have been billed beyond the estimates in the figures above, where the upstream reported no
# usage: strict limits are charged both.
UNREPORTED = tuple(f"unreported_{name}" for name in CHARGED)


class Total(NamedTuple):
    """One hash of totals: an hour or a day (`start` in Unix seconds), or what a key used ever."""

    span: str  # h | d | ever
    start: int = 0
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    total: Total
    figure: str  # `key|account|model|name`, or the name alone
    booked: int
    recomputed: int


class RowSums:
    """What the rows after *after* come to, in every total they belong to, as far as they have been read."""

    def __init__(self, client: Any, pool: str, after: str = "") -> None:
        self._client = client
        self._ledger = keys.ledger(pool)
        self._last_id = after
        self.of: dict[Total, Counter[str]] = defaultdict(Counter)
        self.rows = 0

    def read(self, upto: str, told: Callable[[int], None] = lambda _: None) -> None:
        """Add up the rows after the last that was read, *upto* included; *told* hears how many, by page."""
        while True:
            after = f"({self._last_id}" if self._last_id else "-"
            with store_errors():
                entries = self._client.xrange(self._ledger, after, upto, count=PAGE)
            for entry_id, fields in entries:
                self._add(orjson.loads(fields["row"]))
                self._last_id = entry_id
            self.rows += len(entries)
            told(len(entries))
            if len(entries) < PAGE:
                return

    def _add(self, row: dict[str, Any]) -> None:
        hour = int(row["at_ms"] - row["at_ms"] % HOUR_MS) // 1000
        model = row.get("counted_as", row["model"])
        for account, counted in shares(row):
            who = f"{row['key']}|{account}|{model}|"
            for total, prefix in (
                (Total(rollups.HOUR, hour), who),
                (Total(rollups.DAY, int(row["day_ms"]) // 1000), who),
                (Total(EVER, key_id=row["key"]), ""),
            ):
                sums = self.of[total]
                for name, amount in counted.items():
                    sums[prefix + name] += amount
        for account, figures in attempt_figures(row).items():
            for total in (Total(rollups.HOUR, hour), Total(rollups.DAY, int(row["day_ms"]) // 1000)):
                for name, amount in figures.items():
                    self.of[total][f"{row['key']}|{account}|{model}|{name}"] += amount


def shares(row: dict[str, Any]) -> list[tuple[str, Counter[str]]]:
    """
    Return what *row* counts for each account, as app/stores/lua/requests.lua books it.

    A failed attempt that may have been billed counts for its own account, as no request.
    """
    own = Counter({name: int(row[name]) for name in (*FIGURES, *UNREPORTED) if _is_number(row.get(name))})
    found = [(str(row["account"]), own)]
    if row["source"] == "corrected":
        return found  # of the last attempt alone
    own["requests"] = 1
    own["errors"] = int(row["status"] >= 400)
    for attempt in row.get("charges") or row.get("attempts") or ():
        if "input_tokens" in attempt:
            figures = {name: int(attempt[name]) for name in (*CHARGED, *UNREPORTED) if name in attempt}
            own.subtract(figures)
            found.append((attempt["account"], Counter(figures)))
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def stored_name(pool: str, total: Total) -> str:
    """Return the key of the hash that *total* is."""
    if total.span == EVER:
        return keys.used(pool, total.key_id)
    return keys.rollup(pool, total.span, total.start)


def read_total(client: Any, pool: str, total: Total) -> tuple[dict[str, int], str]:
    """Return the figures of *total*, and the id of the newest row that is in them; '' where there is none."""
    with store_errors():
        pipeline = client.pipeline(transaction=True)
        pipeline.hgetall(stored_name(pool, total))
        pipeline.xrevrange(keys.ledger(pool), count=1)
        stored, newest = pipeline.execute()
    return {figure: int(amount) for figure, amount in stored.items()}, newest[0][0] if newest else ""


class Verification:
    """One look at the books of one pool; after `differences` the counts say what was looked at."""

    def __init__(self, client: Any, pool: str) -> None:
        self._client = client
        self._pool = pool
        self._sums = RowSums(client, pool)
        self._complete_from_ms = 0
        self.totals = 0
        self.skipped = 0

    @property
    def rows(self) -> int:
        return self._sums.rows

    def differences(self, told: Callable[[int], None] = lambda _: None) -> list[Difference]:
        """
        Return every figure that is not the sum of its rows; none: the books balance.

        *told* hears how many rows were read, page by page.
        """
        self._note_what_is_left()
        self._sums.read("+", told)
        found: list[Difference] = []
        done: set[Total] = set()
        while pending := (set(self._kept()) | set(self._sums.of)) - done:
            for total in sorted(pending):
                if self._is_complete(total):
                    found += self._compare(total)
                    self.totals += 1
                else:
                    self.skipped += 1
            done |= pending
        return found

    def _note_what_is_left(self) -> None:
        """Where rows have been removed, only what began after the oldest one left is known whole."""
        with store_errors():
            oldest = self._client.xrange(keys.ledger(self._pool), count=1)
            if oldest:
                told = self._client.xinfo_stream(keys.ledger(self._pool))
                if told.get("entries-added") != told["length"]:  # Redis 6 does not say: then perhaps
                    self._complete_from_ms = int(oldest[0][0].partition("-")[0])

    def _kept(self) -> Iterator[Total]:
        for span in (rollups.HOUR, rollups.DAY):
            for start in rollups.starts(self._client, self._pool, span):
                yield Total(span, start)
        prefix = keys.used(self._pool, "")
        with store_errors():
            for name in self._client.scan_iter(match=prefix + "*", count=1000):
                yield Total(EVER, key_id=name[len(prefix) :])

    def _is_complete(self, total: Total) -> bool:
        return total.start * 1000 >= self._complete_from_ms

    def _compare(self, total: Total) -> list[Difference]:
        booked, newest = read_total(self._client, self._pool, total)
        if newest:
            self._sums.read(newest)
        summed = self._sums.of[total]
        return [
            Difference(total, figure, booked.get(figure, 0), summed[figure])
            for figure in sorted(booked.keys() | summed.keys())
            if booked.get(figure, 0) != summed[figure]
        ]
