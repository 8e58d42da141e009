"""Find a request in any state: waiting, open, refused or settled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.ledger.index import BlockMissing, IndexLookup, LedgerIndex
from app.stores.ledger import LedgerRepository, request_of
from app.stores.records.ledger import (
    FIGURES,
    UNREPORTED,
    LedgerEntry,
    OpenRequest,
    StoredEntry,
    WaitingRequest,
)
from app.stores.refusals import RefusalRepository

PAGE = 500  # ledger entries read at a time
USAGE = ("source", *FIGURES, "counted_by", "unreported", "unlimited", *UNREPORTED)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FoundRequest:
    """A stored request: its summary, as `explain` returns it, its decisions and its attempts."""

    summary: Json
    decisions: list[Json]
    attempts: list[Json]


class RequestFinder:
    """Finds requests of a pool. *entry_id* is the id of a request's ledger entry, '' if that is not known."""

    def __init__(self, ledger: LedgerRepository, index: LedgerIndex, refusals: RefusalRepository) -> None:
        self._ledger = ledger
        self._index = index
        self._refusals = refusals

    def find(self, pool: str, request_id: str, entry_id: str, max_entries: int | None) -> FoundRequest | None:
        """
        Return the request, None if it is not stored.

        *max_entries* limits how many entries that are not indexed are scanned; None: all.
        """
        return (
            self._open(pool, request_id)
            or self._waiting(pool, request_id)
            or self._refused(pool, request_id)
            or self._settled(pool, request_id, entry_id, max_entries)
        )

    def _open(self, pool: str, request_id: str) -> FoundRequest | None:
        stored = self._ledger.open_request(pool, request_id)
        if stored is None:
            return None
        waits = stored.is_waiting and not stored.is_expired
        state = "expired" if stored.is_expired else "waiting" if waits else "open"
        arrived_ms = stored.started_ms - (stored.queued_ms or 0)
        summary = _unfinished(request_id, state, arrived_ms, stored) | {"queued_ms": stored.queued_ms}
        if waits:
            place = self._ledger.waiting_request(pool, request_id)
            summary["before"] = place.before if place else None
        return FoundRequest(summary, orjson.loads(f"[{stored.decisions}]"), [])

    def _waiting(self, pool: str, request_id: str) -> FoundRequest | None:
        """Return a request that no account has been chosen for yet."""
        stored = self._ledger.waiting_request(pool, request_id)
        if stored is None:
            return None
        summary = _unfinished(request_id, "waiting", stored.since_ms, stored) | {"before": stored.before}
        return FoundRequest(summary, [], [])

    def _refused(self, pool: str, request_id: str) -> FoundRequest | None:
        """Return a refusal that is stored in full; its only choice had no account to choose."""
        refusal = self._refusals.find(pool, request_id)
        if refusal is None:
            return None
        row = refusal.entry.row
        summary = {
            "id": request_id,
            "state": "refused",
            "at": refusal.entry.started_at,
            "key": refusal.entry.key_id,
            **{name: row[name] for name in ("model", "endpoint", "status", "error", "message")},
            **{name: row.get(name) for name in ("param", "limit", "accounts")},
            "team": row.get("team"),
            **_attribution(row),
            "requested_model": refusal.entry.requested_model or None,
            "queued_ms": row.get("queued_ms"),
            "usage": {},
        }
        decision = {"attempt": 1, "now": row["at_ms"], "chosen": "", "seen": row.get("seen")}
        decision["out"] = refusal.unavailable
        return FoundRequest(summary, [decision] if row.get("accounts") else [], [])

    def _settled(
        self, pool: str, request_id: str, entry_id: str, max_entries: int | None
    ) -> FoundRequest | None:
        stored = self.find_entry(pool, [request_id], entry_id, max_entries)
        if stored is None:
            return None
        entry = LedgerEntry.parse(stored)
        row = entry.row
        summary = {
            "id": request_id,
            "state": "settled",
            "at": entry.started_at,
            **{name: row[name] for name in ("key", "model", "endpoint", "status")},
            "team": row.get("team"),
            **_attribution(row),
            "requested_model": entry.requested_model or None,
            "error": row.get("error"),
            "queued_ms": row.get("queued_ms"),
            "fallback_of": row.get("fallback_of"),
            "passed_over": row.get("passed_over") or (),
            "error_name": entry.error_name,
            "stopped": row.get("stopped"),
            "usage": {name: row[name] for name in USAGE if name in row},
        }
        return FoundRequest(summary, orjson.loads(stored.decisions), row.get("attempts", []))

    def find_entry(
        self, pool: str, request_ids: Sequence[str], entry_id: str, max_entries: int | None
    ) -> StoredEntry | None:
        """Return the newest entry of one of *request_ids*; *max_entries* as in `find`."""
        candidates = self._candidates(pool, request_ids, entry_id, max_entries) if request_ids else ()
        return next((one for one in candidates if LedgerEntry.parse(one).request_id in request_ids), None)

    def _candidates(
        self, pool: str, request_ids: Sequence[str], entry_id: str, max_entries: int | None
    ) -> Iterator[StoredEntry]:
        """Yield the entry of the first of *request_ids* if its place is known, else those that may match."""
        first = request_ids[0]
        if (known := self._ledger.find(pool, first, entry_id)) is not None:
            yield known
            return
        blocks = self._index.blocks(pool)[::-1]
        oldest = f"({blocks[0].last}" if blocks else "-"
        text = request_of(first)  # all of them contain it
        yield from self._scan(pool, text, oldest=oldest, max_entries=max_entries)
        try:
            for positions in self._index.find(pool, IndexLookup.of_requests(request_ids), blocks, 1):
                yield from self._ledger.read(pool, [f"{ms}-{number}" for ms, number in positions])
        except BlockMissing as missing:
            yield from self._scan(pool, text, newest=missing.block.last, max_entries=max_entries)

    def _scan(
        self, pool: str, text: str, *, newest: str = "+", oldest: str = "-", max_entries: int | None
    ) -> Iterator[StoredEntry]:
        """Yield entries that contain *text* among the newest *max_entries*, newest first."""
        scanned = 0
        while max_entries is None or scanned < max_entries:
            entries = self._ledger.read_backwards(pool, PAGE, newest=newest, oldest=oldest)
            yield from (entry for entry in entries if text in entry.row)
            if len(entries) < PAGE:
                return
            scanned += PAGE
            newest = f"({entries[-1].id}"


def _attribution(source: Mapping[str, Any]) -> Json:
    """Return the owner and the labels in *source*, a row or an Attribution."""
    return {"owner": source.get("owner"), "labels": dict(sorted((source.get("labels") or {}).items()))}


def _unfinished(request_id: str, state: str, since_ms: int, stored: OpenRequest | WaitingRequest) -> Json:
    """Return the summary of a request that has no row in the ledger yet."""
    return {
        "id": request_id,
        "state": state,
        "at": since_ms / 1000,
        "key": stored.key_id,
        "team": stored.team or None,
        **_attribution(stored.attribution),
        "model": stored.model,
        "requested_model": stored.requested_model or None,
        "endpoint": stored.endpoint,
        "status": None,
        "error": None,
        "queued_ms": None,
        "usage": {},
    }
