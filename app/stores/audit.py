"""
The audit log: which actor changed what, when, and the changed object before and after.

An entry is opened before its change and closed after it, so no change is without an entry. When a
process ends in between, or the store stops answering, the outcome cannot be known: the entry is still
open after a minute and is then closed as `unknown`. A refused change removes its entry.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from app.errors import InvalidRequest, StoreUnavailable
from app.stores import keys
from app.stores.records.audit import Actor, AuditFilter, AuditOutcome, AuditPage, Change, JsonObject
from app.stores.records.ledger import is_entry_id
from app.stores.scripts import Scripts

STALE_MS = 60_000  # after this an open entry is closed as `unknown`: no change takes so long
PAGE_ENTRIES = 100
READ_ENTRIES = 500  # entries that one command reads
MAX_READ = 5000  # entries that one page may read to find matches


class AuditLog:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    @contextmanager
    def change(self, actor: Actor, action: str, pool: str, name: str) -> Iterator[Change]:
        """
        Record the change that the block makes as one entry of *actor*.

        The block sets `before` and `after`, and `object` when only the block knows it. When it raises,
        no entry remains, except after StoreUnavailable: then the entry is closed as `unknown`.
        """
        change = Change(action, pool, name)
        entry_id = secrets.token_hex(8)
        self._open(entry_id, actor, change)
        try:
            yield change
        except StoreUnavailable:
            raise
        except BaseException:
            self._close(entry_id, AuditOutcome.REFUSED, {})
            raise
        self._close(entry_id, AuditOutcome.DONE, _actor_fields(actor) | change.entry())

    def note(self, actor: Actor, action: str, pool: str, name: str, **extra: Any) -> None:
        """Record an action that changes nothing stored, such as a sign-in or an export."""
        with self.change(actor, action, pool, name) as change:
            change.extra = extra

    def page(
        self,
        cursor: str | None = None,
        *,
        max_entries: int = PAGE_ENTRIES,
        matching: AuditFilter = AuditFilter(),  # noqa: B008  frozen
    ) -> AuditPage:
        """
        Return the newest *matching* entries after *cursor*.

        One call reads a bounded number of entries, so a page may be short or empty and still have a
        cursor. Raises InvalidRequest for a *cursor* that no page returned.
        """
        if cursor and not is_entry_id(cursor):
            raise InvalidRequest("This is no cursor that an earlier response gave", param="cursor")
        if not cursor:
            self._close_stale()
        matches: list[JsonObject] = []
        last, read = f"({cursor}" if cursor else "+", 0
        while read < MAX_READ:
            stored = self._scripts.client.xrevrange(keys.audit(), last, count=READ_ENTRIES)
            read += len(stored)
            for entry_id, fields in stored:
                entry = {"id": entry_id, "at": int(entry_id.partition("-")[0]) / 1000}
                entry |= orjson.loads(fields["entry"])
                last = f"({entry_id}"
                if matching.matches(entry):
                    matches.append(entry)
                    if len(matches) == max_entries:
                        return AuditPage(matches, entry_id)
            if len(stored) < READ_ENTRIES:
                return AuditPage(matches, None)
        return AuditPage(matches, last.removeprefix("("))

    def _open(self, entry_id: str, actor: Actor, change: Change) -> None:
        entry = {"opened_ms": self._now_ms(), **_actor_fields(actor), **change.entry()}
        self._scripts.client.hset(keys.audit_open(), entry_id, orjson.dumps(entry))

    def _close(self, entry_id: str, outcome: AuditOutcome, entry: JsonObject) -> None:
        text = orjson.dumps({**entry, "outcome": outcome}, default=str)
        self._scripts.run("close_audit", keys.SYSTEM, entry_id, outcome.value, text)

    def _close_stale(self) -> None:
        """Close the entries that are open for longer than STALE_MS: their process or the store stopped."""
        now_ms = self._now_ms()
        for entry_id, text in self._scripts.client.hgetall(keys.audit_open()).items():
            entry = orjson.loads(text)
            if now_ms - entry.pop("opened_ms") >= STALE_MS:
                self._close(entry_id, AuditOutcome.UNKNOWN, entry)

    def _now_ms(self) -> int:
        seconds, micros = self._scripts.client.time()
        return int(seconds) * 1000 + int(micros) // 1000


def _actor_fields(actor: Actor) -> JsonObject:
    return {"who": actor.name, "via": actor.via, "address": actor.address}
