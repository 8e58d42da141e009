"""Read the refusal log: the newest refused requests, and how many there were by key, code and hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from app.stores import keys
from app.stores.client import store_errors

HOUR_SECONDS = 3600
RETAINED_DAYS = 31  # as in app/stores/lua/record_refusals.lua
OTHERS = "*"  # stands for the keys of an hour in which too many different ones were refused
SPAN_HOURS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}


class Entry(NamedTuple):
    """One refused request in full: *row* is shaped like a ledger row, with `message` and `refused`."""

    id: str
    row: dict[str, Any]
    out: list[list[Any]]  # [account id, state, reason, until ms] of those that were unavailable


@dataclass(frozen=True, slots=True)
class Refused:
    """How many requests were refused since `since` (Unix seconds, the beginning of an hour)."""

    since: int
    counts: Counter[tuple[str, str]]  # by (key id, code)

    @property
    def total(self) -> int:
        return self.counts.total()

    def by_code(self, key_id: str | None = None) -> list[tuple[str, int]]:
        """Return (code, count) of one key or of all, the most frequent first."""
        found: Counter[str] = Counter()
        for (key, code), count in self.counts.items():
            if key_id in (None, key):
                found[code] += count
        return sorted(found.items(), key=lambda one: (-one[1], one[0]))


class RefusalRepository:
    def __init__(self, client: Any) -> None:
        self._client = client

    def entries(self, pool: str) -> Iterator[Entry]:
        """Yield the refused requests that are retained in full, newest first. One round trip."""
        with store_errors():
            found = self._client.xrevrange(keys.refusals(pool))
        for entry_id, fields in found:
            row = orjson.loads(fields["row"]) | {"key": fields["key"]}
            yield Entry(entry_id, row, orjson.loads(fields["out"]))

    def find(self, pool: str, request_id: str) -> Entry | None:
        """Return the refusal of *request_id*, if it is retained in full."""
        return next((entry for entry in self.entries(pool) if entry.row["id"] == request_id), None)

    def refused(self, pool: str, span: str) -> Refused:
        """Return the counts of *span*, one of SPAN_HOURS, the current hour included. Two round trips."""
        with store_errors():
            now, _ = self._client.time()
        current = now - now % HOUR_SECONDS
        return self._counted(pool, range(current, current - SPAN_HOURS[span] * HOUR_SECONDS, -HOUR_SECONDS))

    def _counted(self, pool: str, hours: Iterable[int]) -> Refused:
        starts = list(hours)
        with store_errors():
            pipeline = self._client.pipeline(transaction=False)
            for start in starts:
                pipeline.hgetall(keys.refused(pool, start))
            found = pipeline.execute()
        counts: Counter[tuple[str, str]] = Counter()
        for fields in found:
            for name, count in fields.items():
                key, _, code = name.partition("|")
                counts[key, code] += int(count)
        return Refused(starts[-1], counts)

    def trim(self, pool: str, since: int) -> None:
        """Remove refusals from before *since*, Unix seconds; counts by hour expire by themselves."""
        with store_errors():
            self._client.xtrim(keys.refusals(pool), minid=f"{since}000", approximate=False)
