"""
Measurements in Redis: of a minute, an hour or a day that is over, as {part: JSON}.

They never change, because entries are only added to the end of the ledger. They expire, and a restore
replaces them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.stores import keys
from app.stores.rollups import DAY, HOUR
from app.stores.scripts import Scripts
from app.stores.summaries import MINUTE, MINUTE_RETAINED_SECONDS

RETAINED_SECONDS = {MINUTE: MINUTE_RETAINED_SECONDS, HOUR: 32 * 86400, DAY: 800 * 86400}


class MeasurementRepository:
    """Stored measurements of every pool."""

    def __init__(self, scripts: Scripts) -> None:
        self._client = scripts.client

    def read(self, pool: str, span: str, starts: Sequence[int], part: str) -> list[str | None]:
        """Return the stored JSON of one part for each of *starts*, None where there is none."""
        pipeline = self._client.pipeline(transaction=False)
        for start in starts:
            pipeline.hget(keys.measured(pool, span, start), part)
        stored: list[str | None] = pipeline.execute()
        return stored

    def read_all(self, pool: str, span: str, starts: Sequence[int]) -> list[dict[str, str]]:
        """Return every part for each of *starts*, {} where there are none."""
        pipeline = self._client.pipeline(transaction=False)
        for start in starts:
            pipeline.hgetall(keys.measured(pool, span, start))
        stored: list[dict[str, str]] = pipeline.execute()
        return stored

    def missing(self, pool: str, span: str, starts: Sequence[int]) -> list[int]:
        """Return those of *starts* that have no measurements."""
        pipeline = self._client.pipeline(transaction=False)
        for start in starts:
            pipeline.exists(keys.measured(pool, span, start))
        return [start for start, exists in zip(starts, pipeline.execute(), strict=True) if not exists]

    def put(self, pool: str, span: str, start: int, texts: Mapping[str, str], now: float) -> None:
        """Store the measurements of the span that began at *start*; *now* is in Unix seconds."""
        key = keys.measured(pool, span, start)
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hset(key, mapping=texts)
        pipeline.expire(key, max(60, int(start + RETAINED_SECONDS[span] - now)))
        pipeline.execute()
