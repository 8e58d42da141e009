"""The table of `poolgate usage` for a range of time: usage, refusals and percentiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.cli.listing import show_table
from app.cli.output import Figure, amount, cost, show_json
from app.formatting import decimal, milliseconds
from app.ledger.ranges import Range
from app.presentation.names import Names
from app.presentation.usage import NO_VALUE
from app.presentation.usage_json import serialize_report, value_of
from app.presentation.usage_report import OF_CALLERS, Metric, ReportLine, UsageReport

NONE = "-"
TOTAL = "TOTAL"
FIGURES = {"requests": "REQUESTS", "errors": "ERRORS", "input_tokens": "INPUT", "cached_tokens": "CACHED"}
FIGURES |= {"output_tokens": "OUTPUT", "cost": "COST"}
OF_ACCOUNTS = {"attempts": "ATTEMPTS", "failed_attempts": "FAILED", "rescues": "RESCUED"}
TIMES = {
    Metric.FIRST_P50: "FIRST P50",
    Metric.FIRST_P95: "FIRST P95",
    Metric.TOTAL_P50: "TOTAL P50",
    Metric.TOTAL_P95: "TOTAL P95",
    Metric.SPEED: "TOKENS/S",
}
SPARE = ("CACHED", "FIRST P50", "TOTAL P50")  # columns left out on a narrow terminal


def show_report(report: UsageReport, within: Range, zone: str, names: Names, *, as_json: bool) -> None:
    """Print *report* as a table, or as JSON with a time series."""
    if as_json:
        show_json(serialize_report(report, within, zone, names, len(report.lines)))
        return
    columns = _columns(report)
    rows = [[names.line(report.by, line.id) or NO_VALUE, *_cells(line, columns)] for line in report.lines]
    total = [TOTAL, *_cells(report.total(), columns)]
    heads = [report.by.removeprefix("label:").upper(), *columns.values()]
    show_table(heads, rows, "No usage.", total, SPARE)


def _columns(report: UsageReport) -> Mapping[str, str]:
    """Return the heads of the columns by the name of their figure."""
    more: dict[str, Any] = OF_ACCOUNTS if report.by == "account" else {}
    if any(line.refusals is not None for line in report.lines):
        more = {Metric.REFUSALS: "REFUSED"}
    return FIGURES | more | TIMES


def _cells(line: ReportLine, columns: Mapping[str, str]) -> list[Figure | str]:
    return [_cell(line, name) for name in columns]


def _cell(line: ReportLine, name: str) -> Figure | str:
    if name == "cost":
        return cost(line.figures.get(name, 0))
    if name in OF_CALLERS:
        return amount(line.value(Metric(name)) or 0)
    if name in FIGURES or name in OF_ACCOUNTS:
        return amount(line.figures.get(name, 0))
    value = value_of(line, Metric(name))
    if value is None:
        return NONE
    if name == Metric.REFUSALS:
        return amount(value)
    return Figure(decimal(value) if name == Metric.SPEED else milliseconds(value), value)
