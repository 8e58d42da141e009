"""
The audit book: who changed what, when, by which way, and how it was before and after.

An entry is opened before its change and closed after it, so no change is without one. Where a
process ends in between, or the store stops answering, nobody knows whether the change was made:
that entry is found open after a minute and written as `unknown`. A change that was refused is
taken back and leaves nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.errors import StoreUnavailable
from app.ledger.search import checked_entry
from app.operators.actor import Actor
from app.stores import keys
from app.stores.client import store_errors
from app.stores.scripts import Scripts

DONE, REFUSED, UNKNOWN = "done", "refused", "unknown"
STALE_MS = 60_000  # no change takes so long
PAGE = 100
READ_AT_ONCE = 500
MAX_READ = 5000  # entries that one page looks through for those that are asked for

Json = dict[str, Any]


@dataclass(slots=True)
class Change:
    """What a change was made to, as it becomes known; `before` and `after` are public fields."""

    action: str  # noun.verb: account.add
    pool: str  # '' where it is of no pool
    object: str  # the name of what is changed
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    extra: Json = field(default_factory=dict)  # further fields: overlap_seconds, …

    def told(self) -> Json:
        before, after = _difference(self.before, self.after)
        about = {"action": self.action, "pool": self.pool, "object": self.object}
        return {**about, "before": before, "after": after, **self.extra}


def _difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """Return the fields that differ, on both sides; all of them where there is one side alone."""
    if before is None or after is None:
        return before, after
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return tuple({name: side[name] for name in changed if name in side} for side in (before, after))  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first, and where to go on: None at the end."""

    entries: list[Json]
    cursor: str | None


class AuditLog:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    @contextmanager
    def change(self, actor: Actor, action: str, pool: str, name: str) -> Iterator[Change]:
        """
        Write what the block does as one entry of *actor*, once it is done.

        The block fills in `before` and `after`, and the name where only it knows it. When it
        raises, nothing is written; StoreUnavailable alone leaves the entry to be `unknown`.
        """
        change = Change(action, pool, name)
        entry_id = secrets.token_hex(8)
        self._open(entry_id, actor, change)
        try:
            yield change
        except StoreUnavailable:
            raise
        except BaseException:
            self._close(entry_id, REFUSED, {})
            raise
        self._close(entry_id, DONE, _by(actor) | change.told())

    def note(self, actor: Actor, action: str, pool: str, name: str, **extra: Any) -> None:
        """Write that something was done which changed nothing stored: a sign-in, an export."""
        with self.change(actor, action, pool, name) as change:
            change.extra = extra

    def _open(self, entry_id: str, actor: Actor, change: Change) -> None:
        with store_errors():
            opened = {"opened_ms": self._now_ms(), **_by(actor), **change.told()}
            self._scripts.client.hset(keys.audit_open(), entry_id, orjson.dumps(opened))

    def _close(self, entry_id: str, outcome: str, entry: Json) -> None:
        told = orjson.dumps({**entry, "outcome": outcome}, default=str)
        self._scripts.run("close_audit", keys.SYSTEM, entry_id, outcome, told)

    def _now_ms(self) -> int:
        seconds, micros = self._scripts.client.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def _close_stale(self) -> None:
        with store_errors():
            now_ms = self._now_ms()
            opened = self._scripts.client.hgetall(keys.audit_open())
        for entry_id, text in opened.items():
            entry = orjson.loads(text)
            if now_ms - entry.pop("opened_ms") >= STALE_MS:
                self._close(entry_id, UNKNOWN, entry)

    def page(
        self, cursor: str | None = None, *, most: int = PAGE, who: str = "", action: str = "", pool: str = ""
    ) -> AuditPage:
        """
        Return the newest entries after *cursor*: {id, at (Unix seconds), who, via, address, action,
        pool, object, before, after, outcome}.

        *action* may be a noun alone, such as `key`. One call looks through a bounded number of
        entries, so a page may be short, or empty, and still have a cursor. Raises InvalidRequest for
        a *cursor* that no page gave.
        """
        if not checked_entry(cursor or "", "cursor"):
            self._close_stale()
        wanted = {name: value for name, value in {"who": who, "pool": pool}.items() if value}
        found: list[Json] = []
        last, read = f"({cursor}" if cursor else "+", 0
        while read < MAX_READ:
            with store_errors():
                entries = self._scripts.client.xrevrange(keys.audit(), last, count=READ_AT_ONCE)
            read += len(entries)
            for entry_id, fields in entries:
                entry = {"id": entry_id, "at": int(entry_id.partition("-")[0]) / 1000}
                entry |= orjson.loads(fields["entry"])
                last = f"({entry_id}"
                if _fits(entry, wanted, action):
                    found.append(entry)
                    if len(found) == most:
                        return AuditPage(found, entry_id)
            if len(entries) < READ_AT_ONCE:
                return AuditPage(found, None)
        return AuditPage(found, last.removeprefix("("))


def _by(actor: Actor) -> Json:
    return {"who": actor.name, "via": actor.via, "address": actor.address}


def _fits(entry: Json, wanted: Mapping[str, str], action: str) -> bool:
    if any(entry.get(name) != value for name, value in wanted.items()):
        return False
    return not action or action in (entry["action"], entry["action"].partition(".")[0])
