"""Refused requests: the response was an error before any account was tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import orjson

from app.stores.records.api_keys import Attribution
from app.stores.records.ledger import LedgerEntry

MAX_NAME, MAX_MESSAGE = 128, 500  # characters


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """
    A refusal to record; *admission* is as in `GatewayError`.

    *key* is an id, or '' where only *presented* is known.
    """

    id: str
    at_ms: int
    model: str
    endpoint: str
    status: int
    code: str
    message: str
    pool: str = ""
    key: str = ""
    presented: str = ""  # the API key that the caller sent, which may be unknown
    param: str | None = None
    requested_model: str = ""  # as the client named it; empty: `model`
    team: str = ""  # the key's team
    attribution: Attribution | None = None  # the key's owner and labels
    admission: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> bytes:
        """Return the JSON to store, in the shape of a ledger row."""
        row = {
            "id": self.id,
            "at_ms": self.at_ms,
            "account": "",
            "model": clean(self.model, MAX_NAME),
            "endpoint": clean(self.endpoint, MAX_NAME),
            "status": self.status,
            "error": clean(self.code, MAX_NAME),
            "message": clean(self.message, MAX_MESSAGE),
            "refused": True,
            **({"param": clean(self.param, MAX_NAME)} if self.param else {}),
            **({"asked": clean(self.requested_model, MAX_NAME)} if self.requested_model else {}),
            **({"team": self.team} if self.team else {}),
            **(self.attribution or {}),
            **self.admission,
        }
        return orjson.dumps(row)


def clean(text: str, length: int) -> str:
    """Return the first characters of *text* without surrogates, which JSON cannot contain."""
    return text[:length].encode(errors="replace").decode()


@dataclass(frozen=True, slots=True)
class RefusalEntry:
    """A refused request that is stored in full."""

    entry: LedgerEntry
    unavailable: list[list[Any]]  # [account id, state, reason, until ms] of each unavailable account


class RefusalGroupJson(TypedDict):
    """A RefusalGroup with the field names of record_refusals.lua."""

    key: str
    digest: str
    code: str
    count: int
    age_ms: int
    latest: list[tuple[int, int]]
    out: bool
    entries: list[str]


@dataclass(frozen=True, slots=True)
class RefusalGroup:
    """Refusals of one key and code in one hour; `key` is an id, or '' where only the digest is known."""

    key: str
    digest: str  # SHA-256 (hex) of the API key that was presented
    code: str
    count: int
    first_at_ms: int  # when the first was refused, Unix ms
    store_unavailable: bool  # whether to store which accounts were unavailable
    rows: list[str]  # the newest refusals as JSON
    seconds: Mapping[int, int]  # start of each of its last seconds, Unix ms -> how many were refused in it

    def to_json(self, now_ms: float) -> RefusalGroupJson:
        """Return the group as record_refusals.lua takes it."""
        return {
            "key": self.key,
            "digest": self.digest,
            "code": self.code,
            "count": self.count,
            "age_ms": _age_ms(self.first_at_ms, now_ms),
            "latest": [(_age_ms(second, now_ms), count) for second, count in self.seconds.items()],
            "out": self.store_unavailable,
            "entries": self.rows,
        }


def _age_ms(at_ms: int, now_ms: float) -> int:
    return max(0, round(now_ms - at_ms))


class RefusalBatchJson(TypedDict):
    """A RefusalBatch with the field names of record_refusals.lua."""

    writer: str
    number: int
    groups: list[RefusalGroupJson]


@dataclass(frozen=True, slots=True)
class RefusalBatch:
    """Refusals of a pool that are written in one call, however often that is repeated."""

    writer: str  # unique
    number: int  # of the writer's batches, from 1
    groups: Sequence[RefusalGroup]

    @property
    def count(self) -> int:
        """How many refusals it has."""
        return sum(group.count for group in self.groups)

    def to_json(self, now_ms: float) -> RefusalBatchJson:
        """Return the batch as record_refusals.lua takes it."""
        return {
            "writer": self.writer,
            "number": self.number,
            "groups": [group.to_json(now_ms) for group in self.groups],
        }


@dataclass(frozen=True, slots=True)
class RefusalCounts:
    """How many requests were refused since `since` (Unix seconds, the beginning of an hour)."""

    since: int
    counts: Counter[tuple[str, str]]  # by (key id, code)

    @property
    def total(self) -> int:
        return self.counts.total()

    def by_code(self, key_id: str | None = None) -> list[tuple[str, int]]:
        """Return (code, count) pairs of one key or of all keys, the most frequent first."""
        by_code: Counter[str] = Counter()
        for (key, code), count in self.counts.items():
            if key_id in (None, key):
                by_code[code] += count
        return sorted(by_code.items(), key=lambda item: (-item[1], item[0]))
