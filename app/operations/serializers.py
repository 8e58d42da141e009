"""Render ledger entries, usage and limits as JSON for operators; times in Unix seconds, ids with names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from app.accounts.accounts import AccountRepository
from app.errors import InvalidRequest
from app.ledger.search import LedgerQuery
from app.ledger.series import Series
from app.ledger.summaries import SUMMARY_FIGURES
from app.limits.limit_syntax import format_limit
from app.stores.api_keys import ApiKeyRepository
from app.stores.records.limits import LimitStatus
from app.stores.records.refusals import RefusalCounts

INTERNAL = ("at_ms", "day_ms", "affinity", "attempts_counted")
_PREFIXES = {"key": "key_", "account": "acct_"}

JsonObject = dict[str, Any]


class NamedId(TypedDict):
    """`name` is None where the object was removed."""

    id: str
    name: str | None


class RefusalCountJson(TypedDict):
    key: NamedId
    code: str
    count: int


class RefusalsJson(TypedDict):
    """`since` is in Unix seconds."""

    object: str
    span: str
    since: int
    total: int
    data: list[RefusalCountJson]


class SeriesLineJson(TypedDict):
    """Usage of one line, by figure: in total, and from each start on."""

    id: str
    name: str | None
    total: Mapping[str, int]
    points: Sequence[Any]


class SeriesJson(TypedDict):
    object: str
    span: str
    by: str
    figures: Sequence[str]
    starts: Sequence[float]
    until: float
    lines: int
    data: list[SeriesLineJson]


class LimitStatusJson(TypedDict):
    """A limit and its use; amounts of cost are micro-dollars, `resets_at` is in Unix seconds."""

    id: str
    limit: str
    what: str
    per: str
    max: int
    mode: str
    scope: str
    model: str | None
    settled: int
    held: int
    remaining: int
    resets_at: int | None


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the keys and accounts of a pool, by id."""

    key: Mapping[str, str]
    account: Mapping[str, str]

    @classmethod
    def read(cls, pool: str, api_keys: ApiKeyRepository, accounts: AccountRepository) -> Names:
        """Read the names. Two round trips."""
        return cls(api_keys.names_by_id(pool), accounts.names_by_id(pool))

    def id_of(self, noun: str, text: str) -> str:
        """
        Return the id of the *noun* (`key` or `account`) that *text* names; an id or '' is returned as it is.

        Raises InvalidRequest with the param *noun*.
        """
        names: Mapping[str, str] = getattr(self, noun)
        named_id = next((object_id for object_id, name in names.items() if name == text), None)
        if named_id is not None or not text or text.startswith(_PREFIXES[noun]):
            return named_id or text
        raise InvalidRequest(f"There is no {noun} named '{text[:64]}'", param=noun)

    def ledger_query(self, params: Mapping[str, Any]) -> LedgerQuery:
        """Return the query for *params*, those of a valid RequestsQuery. Raises InvalidRequest."""
        return LedgerQuery(
            key=self.id_of("key", params.get("key", "")),
            account=self.id_of("account", params.get("account", "")),
            model=params.get("model", ""),
            status=params.get("status", ""),
            since=params.get("since"),
            until=params.get("until"),
            refused=params.get("refused") == "true",
        )

    def serialize_entry(self, entry_id: str, row: Mapping[str, Any]) -> JsonObject:
        """Return the public fields of the ledger entry *entry_id*, whose stored fields are *row*."""
        public = {name: value for name, value in row.items() if name not in INTERNAL}
        return public | {
            "entry": entry_id,
            "at": row["at_ms"] / 1000,
            "ended_at": int(entry_id.partition("-")[0]) / 1000,
            "key": {"id": row["key"], "name": self.key.get(row["key"])},
            "account": {"id": row["account"], "name": self.account.get(row["account"])},
        }


def serialize_refusals(
    refusals: RefusalCounts, span: str, names: Mapping[str, str], key_id: str = ""
) -> RefusalsJson:
    """Return the number of refused requests by key and code, the most frequent first."""
    counts = [item for item in refusals.counts.items() if not key_id or item[0][0] == key_id]
    counts.sort(key=lambda item: (-item[1], item[0]))
    return {
        "object": "usage.refusals",
        "span": span,
        "since": refusals.since,
        "total": sum(count for _, count in counts),
        "data": [
            {"key": {"id": key, "name": names.get(key)}, "code": code, "count": count}
            for (key, code), count in counts
        ],
    }


def serialize_series(series: Series, span: str, by: str, names: Mapping[str, str], top: int) -> SeriesJson:
    """
    Return the usage of the *top* lines with the most requests.

    `points[n]` of a line is its usage from `starts[n]` on, in the order of `figures`; `lines` is the
    number of lines before the cut.
    """
    totals = series.totals()
    return {
        "object": "usage.series",
        "span": span,
        "by": by,
        "figures": SUMMARY_FIGURES,
        "starts": series.starts,
        "until": series.until,
        "lines": len(totals),
        "data": [
            {
                "id": line_id,
                "name": names.get(line_id),
                "total": totals[line_id],
                "points": series.lines[line_id],
            }
            for line_id in busiest(totals, top)
        ],
    }


def busiest(totals: Mapping[str, Mapping[str, int]], top: int) -> Iterable[str]:
    """Return the ids of the *top* lines with the most requests."""
    return sorted(totals, key=lambda line_id: (-totals[line_id]["requests"], line_id))[:top]


def serialize_limit_status(status: LimitStatus) -> LimitStatusJson:
    """Return a limit and its use; amounts of cost are micro-dollars."""
    limit = status.limit
    return {
        "id": limit.id,
        "limit": format_limit(limit),
        "what": limit.unit,
        "per": limit.period,
        "max": limit.max,
        "mode": limit.mode,
        "scope": limit.scope,
        "model": limit.model,
        "settled": status.settled,
        "held": status.held,
        "remaining": status.remaining,
        "resets_at": status.resets_at,
    }
