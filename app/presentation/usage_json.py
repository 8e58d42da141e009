"""A usage report as JSON for operators; times in Unix seconds, ids with names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from app.formatting import NamedId
from app.ledger.measurements import Times
from app.ledger.ranges import Range
from app.ledger.sums import SUMMARY_FIGURES
from app.presentation.names import Names
from app.presentation.usage_report import Metric, ReportLine, UsageReport, timed


class PercentilesJson(TypedDict):
    p50: float | None
    p95: float | None


class TimesJson(TypedDict):
    """Milliseconds to the first token and to the end, and output tokens per second between the two."""

    first_ms: PercentilesJson
    total_ms: PercentilesJson
    tokens_per_second: float | None


class SeriesLineJson(NamedId):
    """Usage of one line, by figure: its total, and the amount of each point."""

    total: Mapping[str, int]
    refusals: int | None
    times: TimesJson | None
    points: Sequence[Any]


class SeriesJson(TypedDict):
    object: str
    span: str | None
    step: str
    zone: str
    by: str
    figures: Sequence[str]
    starts: Sequence[float]
    until: float
    unprepared: int
    refusals_since: float | None
    lines: int
    data: list[SeriesLineJson]


def serialize_report(report: UsageReport, within: Range, zone: str, names: Names, top: int) -> SeriesJson:
    """
    Return the usage of the *top* lines with the most requests.

    `points[n]` of a line is its usage from `starts[n]` on, in the order of `figures`; `lines` is the number
    of all lines.
    """
    shown, lines = report.within, report.lines[:top]
    series = report.read_lines([line.id for line in lines])
    return {
        "object": "usage.series",
        "span": within.span,
        "step": shown.step,
        "zone": zone,
        "by": report.by,
        "figures": SUMMARY_FIGURES,
        "starts": shown.starts,
        "until": shown.until,
        "unprepared": report.unprepared,
        "refusals_since": report.refused_since or None,
        "lines": len(report.lines),
        "data": [
            {
                **names.named(report.by, line.id),
                "total": line.figures,
                "refusals": line.refusals,
                "times": serialize_times(line.times),
                "points": series.amounts(line.id),
            }
            for line in lines
        ],
    }


def serialize_times(times: Times | None) -> TimesJson | None:
    """Return the percentiles of *times*, None if they are not known."""
    if times is None:
        return None
    return {
        "first_ms": {
            "p50": rounded(timed(times, Metric.FIRST_P50)),
            "p95": rounded(timed(times, Metric.FIRST_P95)),
        },
        "total_ms": {
            "p50": rounded(timed(times, Metric.TOTAL_P50)),
            "p95": rounded(timed(times, Metric.TOTAL_P95)),
        },
        "tokens_per_second": rounded(timed(times, Metric.SPEED)),
    }


def rounded(value: float | None) -> float | None:
    """Return *value* rounded to the three digits that an estimate has."""
    return None if value is None else float(f"{value:.3g}")


def value_of(line: ReportLine, metric: Metric) -> float | None:
    """Return *metric* of *line*, with rounded percentiles."""
    value = line.value(metric)
    return rounded(value) if metric.is_of_times else value
