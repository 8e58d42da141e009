"""Usage over time, and refused requests, as JSON for operators; times in Unix seconds, ids with names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from app.formatting import NamedId
from app.ledger.series import Series
from app.ledger.summaries import SUMMARY_FIGURES
from app.presentation.names import Names
from app.stores.records.refusals import RefusalCounts


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


def serialize_refusals(refusals: RefusalCounts, span: str, names: Names, key_id: str = "") -> RefusalsJson:
    """Return the number of refused requests by key and code, the most frequent first."""
    counts = [item for item in refusals.counts.items() if not key_id or item[0][0] == key_id]
    counts.sort(key=lambda item: (-item[1], item[0]))
    return {
        "object": "usage.refusals",
        "span": span,
        "since": refusals.since,
        "total": sum(count for _, count in counts),
        "data": [
            {"key": names.named("key", key), "code": code, "count": count} for (key, code), count in counts
        ],
    }


def serialize_series(series: Series, span: str, by: str, names: Names, top: int) -> SeriesJson:
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
                **names.named(by, line_id),
                "total": totals[line_id],
                "points": series.lines[line_id],
            }
            for line_id in busiest(totals, top)
        ],
    }


def busiest(totals: Mapping[str, Mapping[str, int]], top: int) -> Iterable[str]:
    """Return the ids of the *top* lines with the most requests."""
    return sorted(totals, key=lambda line_id: (-totals[line_id]["requests"], line_id))[:top]
