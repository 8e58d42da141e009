"""Entries of the audit log: an actor's change, with the changed object before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

JsonObject = dict[str, Any]


class Via(StrEnum):
    """How an actor reached the gateway."""

    CLI = "cli"
    API = "api"
    PAGE = "page"
    START = "start"  # `poolgate up`, or the page for the first operator
    WORKER = "worker"


class AuditOutcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"  # a refused change: its entry is removed
    UNKNOWN = "unknown"  # the process or the store stopped during the change


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change: `name` is that of a person, a token or a job; `address` an IP address or ''."""

    name: str
    via: Via
    address: str = ""


@dataclass(slots=True)
class Change:
    """
    A change while it is made; the caller fills in the fields as they become known.

    `before` and `after` are the public fields of the object. `extra` holds further fields of the entry,
    such as overlap_seconds.
    """

    action: str  # noun.verb: account.add
    pool: str  # '' for a change outside pools
    object: str  # the name of the changed object
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    extra: JsonObject = field(default_factory=dict)

    def entry(self) -> JsonObject:
        """Return the fields of the audit entry; `before` and `after` contain only what differs."""
        before, after = _difference(self.before, self.after)
        about = {"action": self.action, "pool": self.pool, "object": self.object}
        return {**about, "before": before, "after": after, **self.extra}


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """
    Which entries to return; '' matches all. `action` may be a noun alone, such as `key`.

    `object_part` is a part of the name of the object.
    """

    who: str = ""
    action: str = ""
    pool: str = ""
    object_part: str = ""

    def matches(self, entry: Mapping[str, Any]) -> bool:
        if self.who and entry.get("who") != self.who:
            return False
        if self.pool and entry.get("pool") != self.pool:
            return False
        if self.object_part.lower() not in str(entry["object"]).lower():
            return False
        return not self.action or self.action in (entry["action"], entry["action"].partition(".")[0])


@dataclass(frozen=True, slots=True)
class AuditPage:
    """
    Entries, newest first, and the cursor of the next page: None at the end.

    An entry is {id, at (Unix seconds), who, via, address, action, pool, object, before, after,
    outcome} and the extra fields of its change.
    """

    entries: list[JsonObject]
    cursor: str | None


def _difference(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Return the fields that differ, of both sides; all fields if one side is absent."""
    if before is None or after is None:
        return before, after
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return _select(before, changed), _select(after, changed)


def _select(fields: Mapping[str, Any], names: list[str]) -> JsonObject:
    return {name: fields[name] for name in names if name in fields}
