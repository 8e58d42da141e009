"""Rows of the books as operators are told them: times in Unix seconds, names beside ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id of what there is in a pool."""

    key: Mapping[str, str]
    account: Mapping[str, str]

    @classmethod
    def read(cls, pool: str, api_keys: ApiKeyRepository, accounts: AccountRepository) -> Names:
        """Read them in two round trips."""
        return cls(api_keys.names_by_id(pool), accounts.names_by_id(pool))

    def id_of(self, what: str, said: str) -> str:
        """
        Return the id of the key or account (*what*) that *said* names; ids stand for themselves.

        Raises InvalidRequest, whose param is *what*.
        """
        names: Mapping[str, str] = getattr(self, what)
        found = next((one_id for one_id, name in names.items() if name == said), None)
        if found is not None or not said or said.startswith(_PREFIXES[what]):
            return found or said
        raise InvalidRequest(f"There is no {what} named '{said[:64]}'", param=what)

    def wanted(self, said: Mapping[str, Any]) -> LedgerQuery:
        """Return what a valid RequestsQuery asks for."""
        return LedgerQuery(
            key=self.id_of("key", said.get("key", "")),
            account=self.id_of("account", said.get("account", "")),
            model=said.get("model", ""),
            status=said.get("status", ""),
            since=said.get("since"),
            until=said.get("until"),
            refused=said.get("refused") == "true",
        )

    def row(self, entry_id: str, row: Mapping[str, Any]) -> Json:
        told = {name: value for name, value in row.items() if name not in INTERNAL}
        return told | {
            "entry": entry_id,
            "at": row["at_ms"] / 1000,
            "ended_at": int(entry_id.partition("-")[0]) / 1000,
            "key": {"id": row["key"], "name": self.key.get(row["key"])},
            "account": {"id": row["account"], "name": self.account.get(row["account"])},
        }


def describe_refused(refused: RefusalCounts, span: str, names: Mapping[str, str], key_id: str = "") -> Json:
    """Return how many requests were refused, by key and code, the most frequent first."""
    lines = sorted(
        (one for one in refused.counts.items() if not key_id or one[0][0] == key_id),
        key=lambda one: (-one[1], one[0]),
    )
    return {
        "object": "usage.refusals",
        "span": span,
        "since": refused.since,
        "total": sum(count for _, count in lines),
        "data": [
            {"key": {"id": key, "name": names.get(key)}, "code": code, "count": count}
            for (key, code), count in lines
        ],
    }


def serialize_series(told: Series, span: str, by: str, names: Mapping[str, str], top: int) -> Json:
    """
    Return `points[n]`, what was used from `starts[n]` on, in the order of `figures`.

    Of more lines than *top* those with the most requests are told; `lines` says how many there are.
    """
    totals = told.totals()
    return {
        "object": "usage.series",
        "span": span,
        "by": by,
        "figures": SUMMARY_FIGURES,
        "starts": told.starts,
        "until": told.until,
        "lines": len(totals),
        "data": [
            {"id": who, "name": names.get(who), "total": totals[who], "points": told.lines[who]}
            for who in busiest(totals, top)
        ],
    }


def busiest(totals: Mapping[str, Mapping[str, int]], top: int) -> Iterable[str]:
    return sorted(totals, key=lambda who: (-totals[who]["requests"], who))[:top]


def serialize_limit_status(status: LimitStatus) -> Json:
    """Return a limit and where it stands; amounts of cost are micro-dollars."""
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
