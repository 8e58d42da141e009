"""The ledger in Redis: one stream entry for each settled request, and the stored totals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import orjson

from app.stores import keys
from app.stores.records.api_keys import ATTRIBUTION, read_attribution
from app.stores.records.ledger import (
    EVER,
    LedgerEntry,
    OpenRequest,
    StoredEntry,
    StoredTotal,
    Total,
    WaitingRequest,
    position_of,
)
from app.stores.rollups import RollupRepository
from app.stores.scripts import Scripts

MAX_MODELS = 33  # that one request may be tried at
_STEP = re.compile(r"(.{1,128}?)(?:-([0-9]{1,2}))?")  # id of a request at one of its models


class LedgerRepository:
    """The ledger of every pool; settlements are written by the scripts."""

    def __init__(self, scripts: Scripts) -> None:
        self._client = scripts.client
        self.rollups = RollupRepository(scripts.client)

    def newest_id(self, pool: str) -> str:
        """Return the id of the newest entry, "0" where there is none."""
        entries = self._client.xrevrange(keys.ledger(pool), count=1)
        return str(entries[0][0]) if entries else "0"

    def newest_at(self, pool: str) -> int:
        """Return when the newest request ended, Unix seconds; 0: there is none."""
        newest_id = self.newest_id(pool)
        return position_of(newest_id)[0] // 1000 if newest_id != "0" else 0

    def newest(self, pool: str, count: int, after: str = "") -> list[LedgerEntry]:
        """Return the newest *count* entries after the entry *after* ("": any), oldest first."""
        entries = self.read_backwards(pool, count, oldest=f"({after}" if after else "-")
        return [LedgerEntry.parse(entry) for entry in reversed(entries)]

    def read_backwards(
        self, pool: str, count: int, *, newest: str = "+", oldest: str = "-"
    ) -> list[StoredEntry]:
        """Return up to *count* entries from *newest* back to *oldest*: ids (`(id` excludes it) or Unix ms."""
        entries = self._client.xrevrange(keys.ledger(pool), newest, oldest, count=count)
        return [_entry(entry_id, fields) for entry_id, fields in entries]

    def read_forwards(
        self, pool: str, count: int, *, oldest: str = "-", newest: str = "+"
    ) -> list[StoredEntry]:
        """Return up to *count* entries from *oldest* to *newest*; arguments as in `read_backwards`."""
        entries = self._client.xrange(keys.ledger(pool), oldest, newest, count=count)
        return [_entry(entry_id, fields) for entry_id, fields in entries]

    def read(self, pool: str, entry_ids: Sequence[str]) -> list[StoredEntry]:
        """Return the entries *entry_ids*, without those that have been removed. One round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for entry_id in entry_ids:
            pipeline.xrange(keys.ledger(pool), entry_id, entry_id)
        return [_entry(entry_id, fields) for entries in pipeline.execute() for entry_id, fields in entries]

    def read_all(
        self, pool: str, page: int, *, after: str = "", newest: str = "+"
    ) -> Iterator[list[StoredEntry]]:
        """Yield all entries after *after* ("": all) up to *newest*, oldest first, in lists of *page*."""
        while True:
            entries = self.read_forwards(pool, page, oldest=f"({after}" if after else "-", newest=newest)
            yield entries
            if len(entries) < page:
                return
            after = entries[-1].id

    def find(self, pool: str, request_id: str, entry_id: str = "") -> StoredEntry | None:
        """
        Return the entry *entry_id*, else that of *request_id*, which is remembered for a day.

        None where neither leads to an entry.
        """
        entry_id = entry_id or self._client.get(keys.settled(pool, request_id)) or ""
        entries = self.read_forwards(pool, 1, oldest=entry_id, newest=entry_id) if entry_id else []
        return entries[0] if entries else None

    def entry_ids(self, pool: str, request_ids: Sequence[str]) -> list[str | None]:
        """Return the id of the entry of each of *request_ids*, None if there was none within a day."""
        stored: list[str | None] = self._client.mget([keys.settled(pool, one) for one in request_ids])
        return [entry_id or None for entry_id in stored]  # empty: its admission was cancelled

    def open_request(self, pool: str, request_id: str) -> OpenRequest | None:
        """Return the request with this id if it is admitted and not settled, else None."""
        stored = self._client.hgetall(keys.request(pool, request_id))
        if not stored:
            return None
        owned = self._client.hmget(keys.api_key(pool, stored["key"]), ATTRIBUTION)
        return OpenRequest(
            key_id=stored["key"],
            model=stored["model"],
            endpoint=stored["endpoint"],
            started_ms=int(stored["started_ms"]),
            decisions=stored["why"],
            requested_model=stored.get("requested", ""),
            is_expired="expired" in stored,
            queued_ms=int(stored["queued_ms"]) if "queued_ms" in stored else None,
            is_waiting=not stored["account"] and bool(stored["why"]),  # a cached response has no decision
            team=stored.get("team", ""),
            attribution=read_attribution(dict(zip(ATTRIBUTION, owned, strict=True))),
        )

    def waiting_request(self, pool: str, request_id: str) -> WaitingRequest | None:
        """Return the request that waits for an account, None where there is none. Two round trips."""
        stored = self._client.hget(keys.queue_places(pool), request_id)
        place, *_, facts = orjson.loads(stored) if stored else ("", None)
        if not isinstance(facts, dict):  # written by an older version
            return None
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zrank(keys.queue(pool), place)
        pipeline.hmget(keys.api_key(pool, facts["key"]), "team", *ATTRIBUTION)
        before, (team, *owned) = pipeline.execute()
        if before is None:
            return None
        return WaitingRequest(
            key_id=facts["key"],
            model=facts["model"],
            endpoint=facts["endpoint"],
            since_ms=int(facts["since_ms"]),
            before=before,
            requested_model=facts.get("asked", ""),
            team=team or "",
            attribution=read_attribution(dict(zip(ATTRIBUTION, owned, strict=True))),
        )

    def find_unfinished(self, pool: str, request_ids: Sequence[str]) -> str | None:
        """Return the first of *request_ids* that is open or waits for an account. One round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for request_id in request_ids:
            pipeline.exists(keys.request(pool, request_id))
            pipeline.hexists(keys.queue_places(pool), request_id)
        replies = pipeline.execute()
        pairs = zip(request_ids, replies[::2], replies[1::2], strict=True)
        return next((request_id for request_id, is_open, waits in pairs if is_open or waits), None)

    def count(self, pool: str) -> int:
        """Return the number of entries."""
        return int(self._client.xlen(keys.ledger(pool)))

    def complete_from_ms(self, pool: str) -> int:
        """Return the time (Unix ms) from which the ledger is complete; 0: no entry was ever removed."""
        oldest = self._client.xrange(keys.ledger(pool), count=1)
        if not oldest:
            return 0
        info = self._client.xinfo_stream(keys.ledger(pool))
        # Redis 6 does not report `entries-added`: assume that some were removed
        return 0 if info.get("entries-added") == info["length"] else int(oldest[0][0].partition("-")[0])

    def remove_before(self, pool: str, since: int, *, limit: int = 0) -> int:
        """
        Remove the entries that ended before *since* (Unix seconds); return how many.

        With *limit*, at most about so many entries are removed, and only complete nodes of the stream.
        """
        options = {"approximate": True, "limit": limit} if limit else {"approximate": False}
        return int(self._client.xtrim(keys.ledger(pool), minid=f"{since}000", **options))

    def total(self, pool: str, total: Total) -> StoredTotal:
        """Return the stored figures of *total*, read together with the newest entry's id."""
        pipeline = self._client.pipeline(transaction=True)
        if total.span == EVER:
            pipeline.hgetall(keys.used(pool, total.key_id))
        else:
            name_of = keys.team_rollup if total.by_team else keys.rollup
            pipeline.hgetall(name_of(pool, total.span, total.start))
        pipeline.xrevrange(keys.ledger(pool), count=1)
        figures, newest = pipeline.execute()
        return StoredTotal(
            {figure: int(amount) for figure, amount in figures.items()}, newest[0][0] if newest else ""
        )

    def has_teams(self, pool: str, span: str, start: int) -> bool:
        """Return whether a team used anything in the hour or day that began at *start*."""
        return bool(self._client.exists(keys.team_rollup(pool, span, start)))

    def keys_with_usage(self, pool: str) -> Iterator[str]:
        """Yield the ids of the API keys that have ever used something."""
        prefix = keys.used(pool, "")
        for name in self._client.scan_iter(match=prefix + "*", count=1000):
            yield name[len(prefix) :]


def request_of(request_id: str) -> str:
    """Return the id of the request that *request_id* is a step of; see `ids_at_models`."""
    found = _STEP.fullmatch(request_id)
    return found[1] if found else request_id


def ids_at_models(request_id: str, models: int = MAX_MODELS) -> list[str]:
    """
    Return the ids of *request_id* at each of the first *models* that it may be tried at.

    A request is recorded once for each model, as `<id>`, `<id>-1`, `<id>-2` and so on, except for models that
    did not admit it.
    """
    first = request_of(request_id)
    return [first, *(f"{first}-{number}" for number in range(1, min(models, MAX_MODELS)))]


def _entry(entry_id: str, fields: dict[str, str]) -> StoredEntry:
    return StoredEntry(entry_id, fields["row"], fields.get("why", "[]"))
