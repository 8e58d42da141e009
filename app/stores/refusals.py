"""Refused requests in Redis: the newest in full, and counts by API key, code and hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

import orjson

from app.stores import keys
from app.stores.pool_clock import PoolClock
from app.stores.records.ledger import LedgerEntry
from app.stores.records.refusals import RefusalBatch, RefusalCounts, RefusalEntry
from app.stores.scripts import Scripts

HOUR_SECONDS = 3600
MAX_STORED = 500  # refusals of a pool in full: the newest; same value as in lua/record_refusals.lua
RETAINED_HOURS = 31 * 24  # same value as in lua/record_refusals.lua
# 90d: all that is stored
SPAN_HOURS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24, "90d": RETAINED_HOURS}


class RefusalRepository:
    """The refusal log of every pool."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._client = scripts.client
        self._clock = PoolClock(scripts)

    def record(self, pool: str, batch: RefusalBatch, now_ms: float) -> bool:
        """
        Store *batch* once, in one call. *now_ms* is Unix ms on the clock of its groups.

        Return whether the store has it, so that `find_lost` can find it: not without refusals of known keys.
        """
        return bool(self._scripts.run("record_refusals", pool, orjson.dumps(batch.to_json(now_ms))))

    def find_lost(self, pool: str, writer: str, numbers: Collection[int]) -> list[int]:
        """Return which of *numbers*, of recent batches of *writer*, the store does not know as recorded."""
        scores = self._client.zmscore(keys.refusal_batches(pool, writer), list(numbers))
        return [number for number, score in zip(numbers, scores, strict=True) if score is None]

    def entries(self, pool: str) -> Iterator[RefusalEntry]:
        """Yield the refused requests that are stored in full, newest first. One round trip."""
        for entry_id, fields in self._client.xrevrange(keys.refusals(pool)):
            yield _entry(entry_id, fields)

    def find(self, pool: str, request_id: str) -> RefusalEntry | None:
        """Return the refusal of *request_id* if it is stored in full, else None."""
        for entry_id, fields in self._client.xrevrange(keys.refusals(pool)):
            if request_id in fields["row"]:  # cheaper than parsing every row
                refusal = _entry(entry_id, fields)
                if refusal.entry.request_id == request_id:
                    return refusal
        return None

    def counts(self, pool: str, span: str) -> RefusalCounts:
        """Return the counts of *span*, one of SPAN_HOURS, including the current hour. Two round trips."""
        now = int(self._clock.now())
        current = now - now % HOUR_SECONDS
        hours = range(current, current - SPAN_HOURS[span] * HOUR_SECONDS, -HOUR_SECONDS)
        pipeline = self._client.pipeline(transaction=False)
        for start in hours:
            pipeline.hgetall(keys.refused(pool, start))
        counts: Counter[tuple[str, str]] = Counter()
        for fields in pipeline.execute():
            for name, count in fields.items():
                key, _, code = name.partition("|")
                counts[key, code] += int(count)
        return RefusalCounts(hours[-1], counts)

    def latest_counts(self, pool: str, since_ms: int) -> Counter[str]:
        """
        Return how many requests were refused since *since_ms*, at most a minute ago, by code.

        They are counted by the second in which they were refused, however late they were recorded.
        """
        counts: Counter[str] = Counter()
        for entry_id, fields in self._client.xrange(keys.latest_refusals(pool), min=since_ms):
            for name, count in fields.items():
                code, _, at_ms = name.partition("|")  # an older version writes no second
                if int(at_ms or entry_id.partition("-")[0]) >= since_ms:
                    counts[code] += int(count)
        return counts

    def counts_between(self, pool: str, since: int, until: int) -> tuple[int, list[tuple[int, str, int]]]:
        """
        Return (start of an hour, key id, count) of the hours from *since* to *until*, in Unix seconds.

        First comes the start of the first hour that was read: counts are stored for RETAINED_HOURS.
        """
        now = int(self._clock.now())
        first = max(since, now - RETAINED_HOURS * HOUR_SECONDS)
        first -= first % HOUR_SECONDS
        hours = range(first, until, HOUR_SECONDS)
        pipeline = self._client.pipeline(transaction=False)
        for start in hours:
            pipeline.hgetall(keys.refused(pool, start))
        counts = [
            (start, name.partition("|")[0], int(count))
            for start, fields in zip(hours, pipeline.execute(), strict=True)
            for name, count in fields.items()
        ]
        return first, counts

    def trim(self, pool: str, since: int) -> None:
        """Remove refusals from before *since* (Unix seconds); hourly counts expire by themselves."""
        self._client.xtrim(keys.refusals(pool), minid=f"{since}000", approximate=False)


def _entry(entry_id: str, fields: Mapping[str, str]) -> RefusalEntry:
    row = orjson.loads(fields["row"]) | {"key": fields["key"]}
    return RefusalEntry(LedgerEntry(entry_id, row), orjson.loads(fields["out"]))
