"""
Summaries in Redis: a minute, an hour or a day that is over, added up by API key, account and model.

A late entry removes the summary of its hour and day (lua/requests.lua, `add_to_rollup`), and so makes its
breakdowns invalid, which have the same mark; those of minutes expire.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence

import orjson

from app.stores import keys
from app.stores.scripts import Scripts

MINUTE = "m"
MADE = "made"  # field of a summary and of its breakdowns: equal while the breakdowns are valid
FIELDS_AT_ONCE = 500
MINUTE_RETAINED_SECONDS = 7200


class SummaryRepository:
    """Stored summaries; each is {grouping: JSON of {id: amounts}}."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def read(self, pool: str, span: str, starts: Iterable[int], by: str) -> list[str | None]:
        """Return the stored JSON of one grouping for each of *starts*, None where there is none."""
        pipeline = self._scripts.client.pipeline(transaction=False)
        for start in starts:
            pipeline.hget(keys.summary(pool, span, start), by)
        stored: list[str | None] = pipeline.execute()
        return stored

    def begin(self, pool: str, span: str, start: int) -> str:
        """Begin the summary of *start*; return the token that `put` takes."""
        token = secrets.token_hex(8)
        self._scripts.client.hset(keys.summary(pool, span, start), "begun", token)
        return token

    def put(self, pool: str, span: str, start: int, token: str, texts: Mapping[str, str]) -> None:
        """Store the summary of *start*, unless an entry has been added since `begin` returned *token*."""
        self._scripts.run("store_summary", pool, span, start, token, orjson.dumps(texts))

    def put_minute(self, pool: str, start: int, texts: Mapping[str, str]) -> None:
        """Store the summary of a minute; it expires."""
        key = keys.summary(pool, MINUTE, start)
        pipeline = self._scripts.client.pipeline(transaction=True)
        pipeline.hset(key, mapping=texts)
        pipeline.expire(key, MINUTE_RETAINED_SECONDS)
        pipeline.execute()

    def read_breakdowns(self, pool: str, span: str, starts: Sequence[int], field: str) -> list[str | None]:
        """Return the stored JSON of *field* for each of *starts*; None where it is missing or outdated."""
        pipeline = self._scripts.client.pipeline(transaction=False)
        for start in starts:
            pipeline.hget(keys.summary(pool, span, start), MADE)
            pipeline.hmget(keys.breakdown(pool, span, start), MADE, field)
        replies = pipeline.execute()
        return [
            (text or "{}") if made and made == made_with else None
            for made, (made_with, text) in zip(replies[::2], replies[1::2], strict=True)
        ]

    def put_breakdowns(
        self, pool: str, span: str, start: int, token: str, texts: Mapping[str, str], retained_seconds: int
    ) -> None:
        """Store the breakdowns of *start*, which are valid while its summary has the same *token*."""
        key, fields = keys.breakdown(pool, span, start), list(texts.items())
        pipeline = self._scripts.client.pipeline(transaction=False)
        pipeline.unlink(key)
        for first in range(0, len(fields), FIELDS_AT_ONCE):
            pipeline.hset(key, mapping=dict(fields[first : first + FIELDS_AT_ONCE]))
        pipeline.hset(key, MADE, token)
        pipeline.expire(key, retained_seconds)
        pipeline.execute()
