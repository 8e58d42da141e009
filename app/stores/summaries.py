"""
Summaries in Redis: a minute, an hour or a day that is over, added up by API key, account and model.

A late entry removes the summary of its hour and day (lua/requests.lua, `add_to_rollup`); those of
minutes expire.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

import orjson

from app.stores import keys
from app.stores.scripts import Scripts

MINUTE = "m"
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
        """Mark the summary of *start* as being made; return the token that `put` takes."""
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
