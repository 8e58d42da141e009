"""The page of usage by key, team, model, account or endpoint, in any range: chart, table and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, g, render_template, request, url_for

from app.admin.pages import clock, formatting
from app.admin.pages.charts import SHADES, Chart, Series, Shape
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.pages.lists import Filter, Sort, list_url, paginate, parse_sort
from app.admin.pages.request_filters import ENDPOINTS, address
from app.admin.services import services
from app.csv_text import csv_text
from app.errors import InvalidRequest
from app.formatting import natural
from app.ledger.measurements import OTHER
from app.ledger.points import REST
from app.ledger.ranges import Span
from app.ledger.sums import SUMMARY_FIGURES, Grouping, Only
from app.presentation.names import Names
from app.presentation.usage import NO_VALUE
from app.presentation.usage_json import value_of
from app.presentation.usage_range import describe_range, read_range
from app.presentation.usage_report import ONLY, Metric, ReportLine, UsageReport, UsageReporter, read_only

GROUPINGS: Mapping[str, str] = {
    Grouping.KEY: "Key",
    Grouping.TEAM: "Team",
    Grouping.MODEL: "Model",
    Grouping.ACCOUNT: "Account",
    Grouping.ENDPOINT: "Endpoint",
    Grouping.ALL: "All",
}
SPANS: Mapping[str, str] = {
    Span.HOUR: "1 h",
    Span.DAY: "24 h",
    Span.WEEK: "7 d",
    Span.MONTH: "30 d",
    Span.QUARTER: "90 d",
}
FIELDS = ("span", "from", "to", "by", *ONLY)
METRICS: Mapping[Metric, tuple[str, formatting.Formatter]] = {
    Metric.COST: ("Cost", formatting.dollars),
    Metric.TOKENS: ("Tokens", formatting.short),
    Metric.REQUESTS: ("Requests", formatting.short),
    Metric.ERRORS: ("Errors", formatting.short),
    Metric.REFUSALS: ("Refused", formatting.short),
    Metric.FIRST_P50: ("First token p50", formatting.millis),
    Metric.FIRST_P95: ("First token p95", formatting.millis),
    Metric.TOTAL_P50: ("Total time p50", formatting.millis),
    Metric.TOTAL_P95: ("Total time p95", formatting.millis),
    Metric.SPEED: ("Tokens/s", formatting.short),
}
SHORT_LABELS = {
    Metric.FIRST_P50: "First p50",
    Metric.FIRST_P95: "First p95",
    Metric.TOTAL_P50: "Total p50",
    Metric.TOTAL_P95: "Total p95",
}
ROOMY = (Metric.FIRST_P50, Metric.TOTAL_P50, Metric.SPEED)  # left out on narrow screens
CHARTED = 5  # lines of the chart; all others are added up in one more

bp = page_blueprint("usage", "/usage")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: its name, its link, and its figures by metric."""

    line: ReportLine
    name: str
    href: str
    requests_href: str
    only_href: str
    shown: Mapping[str, str]
    part: float  # of the total of the chosen metric, if it adds up


@bp.get("")
def show() -> Any:
    """Show the usage in a range, or download it as CSV; if the selection is refused, only the reason."""
    app_services = services()
    form = Form(request.args, *FIELDS)
    names = Names.read(g.pool, app_services.api_keys, app_services.accounts)
    names = names.with_teams(app_services.teams.all(g.pool))
    metric = _metric(request.args.get("metric", ""))
    report = _read(form, names, metric)
    if report is not None and request.args.get("format") == "csv":
        return _csv(report, names)
    by, span, only = form["by"], form["span"], None
    if report is not None:
        by, span, only = report.by, report.within.span or "", report.only
    return render_template(
        "usage/show.html",
        section="usage.show",
        form=form,
        report=report,
        groupings=[(label, list_url(by=by)) for by, label in _groupings(only)],
        grouping=GROUPINGS.get(by, ""),
        spans=[(label, list_url(span=one, **{"from": None, "to": None})) for one, label in SPANS.items()],
        span=SPANS.get(span, ""),
        metrics=[(label, list_url(metric=one)) for one, (label, _) in METRICS.items()],
        metric_label=METRICS[metric][0],
        filters=_filters(names),
        **({} if report is None else _figures(report, names, metric)),
    ), form.status


def _read(form: Form, names: Names, metric: Metric) -> UsageReport | None:
    """Return the report that *form* requests; None if it has errors."""
    app_services = services()
    usage = app_services.ledger.series
    reporter = UsageReporter(usage, app_services.ledger.refusals, app_services.api_keys)
    with form.collect_errors():
        span, since, until = (form[name].strip() for name in ("span", "from", "to"))
        within = read_range(usage, g.pool, span, since, until, clock.viewer_zone())
        only = read_only(form.filled(*ONLY), names)
        by = form["by"].strip() or (_groupings(only)[-1] if only else _groupings(only)[0])[0]
        if by not in GROUPINGS:
            raise InvalidRequest(f"by must be one of {', '.join(GROUPINGS)}", param="by")
        return reporter.report(g.pool, within, by, only, times_at_points=metric.is_of_times)
    return None


def _figures(report: UsageReport, names: Names, metric: Metric) -> dict[str, Any]:
    """Return what the page shows of *report*: the chart, and the table in the order of the address."""
    sort = parse_sort(request.args.get("sort"), ["name", *Metric], f"-{metric}")
    lines, pages = paginate(_sorted(report, names, sort), request.args.get("page"))
    total = report.total()
    return {
        "range_text": describe_range(report.within, clock.viewer_zone(), services().clock.zone(g.pool)),
        "columns": [
            (one, SHORT_LABELS.get(one, label), "roomy" if one in ROOMY else "")
            for one, (label, _) in METRICS.items()
        ],
        "chart": _chart(report, names, metric),
        "rows": [_row(report, names, line, metric) for line in lines],
        "pages": pages,
        "sort": sort,
        "total": _shown(total),
        "total_fallbacks": total.figures.get("fallbacks", 0),
        "of_callers": total.of_callers,
        "metric_total": total.value(metric) or 0,
        "csv_url": list_url(format="csv"),
    }


def _metric(text: str) -> Metric:
    return Metric(text) if text in list(Metric) else Metric.COST


def _groupings(only: Only | None) -> list[tuple[str, str]]:
    """Return (value, label) of every grouping."""
    if only is None:
        return list(GROUPINGS.items())
    return [(by, GROUPINGS[by]) for by in (Grouping.ALL, *only.groupings)]


def _filters(names: Names) -> list[Filter]:
    app_services = services()
    models = {model for account in app_services.accounts.snapshot(g.pool) for model in account.models}
    return [
        Filter("key", "Key", _ordered(names.key.values()), free=True),
        Filter("team", "Team", _ordered(names.teams or ()), free=True),
        Filter("account", "Account", _ordered(names.account.values()), free=True),
        Filter("model", "Model", _ordered(models), free=True),
        Filter("endpoint", "Endpoint", ENDPOINTS, free=True),
    ]


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=natural)


def _name(report: UsageReport, names: Names, line_id: str) -> str:
    if line_id and line_id != OTHER:
        return names.line(report.by, line_id)
    return line_id or ("All" if report.by == Grouping.ALL else NO_VALUE)


def _chart(report: UsageReport, names: Names, metric: Metric) -> Chart:
    """Return the chart of the lines with the highest values, with the sum of the others if it adds up."""
    label, format_value = METRICS[metric]
    lines = [line for line in report.lines if line.value(metric)]  # those with the most requests first
    if not metric.is_of_times:
        lines.sort(key=lambda line: -(line.value(metric) or 0))
    own, others = [line.id for line in lines[:CHARTED]], len(lines[CHARTED:])
    points = report.points(own, metric)
    series = [
        Series(_name(report, names, line), shade, points[line])
        for line, shade in zip(own, SHADES[:CHARTED], strict=False)
    ]
    if others and not metric.is_of_times:
        series.append(Series(f"{others} others", SHADES[CHARTED], points[REST]))
    return Chart(
        "usage",
        label,
        report.within.starts,
        series,
        format_value,
        report.within.until,
        shape=Shape.LINES if metric.is_of_times else Shape.COLUMNS,
        zone=clock.viewer_zone(),
        format_axis=formatting.short_dollars if metric is Metric.COST else None,
    )


def _sorted(report: UsageReport, names: Names, sort: Sort) -> list[ReportLine]:
    """Return the lines in the order *sort*; lines without a value come last."""
    if sort.column == "name":
        return sorted(
            report.lines, key=lambda line: natural(_name(report, names, line.id)), reverse=sort.descending
        )
    column = Metric(sort.column)
    known = [line for line in report.lines if line.value(column) is not None]
    known.sort(key=lambda line: line.value(column) or 0, reverse=sort.descending)
    return known + [line for line in report.lines if line.value(column) is None]


def _row(report: UsageReport, names: Names, line: ReportLine, metric: Metric) -> Row:
    by, name = report.by, names.of(report.by).get(line.id, line.id)
    is_one = by in ONLY and line.id not in ("", OTHER)
    only: dict[str, Any] = dict.fromkeys(ONLY) | {by: name, "by": None, "sort": None}
    return Row(
        line,
        _name(report, names, line.id),
        _detail_url(by, line.id, name, names) if is_one else "",
        address("requests.show", {by: name}) if is_one else "",
        list_url(**only) if is_one and report.only is None and by != Grouping.ENDPOINT else "",
        _shown(line),
        0 if metric.is_of_times else line.value(metric) or 0,
    )


def _detail_url(by: str, line_id: str, name: str, names: Names) -> str:
    """Return the address of the page of a key, an account or a team; '' if there is none."""
    if by == Grouping.TEAM:
        return url_for("teams.detail", name=name) if name in (names.teams or ()) else ""
    if line_id not in names.of(by):
        return ""
    return url_for("api_keys.detail" if by == Grouping.KEY else "accounts.detail", name=name)


def _shown(line: ReportLine) -> dict[str, str]:
    return {one: format_value(line.value(one)) for one, (_, format_value) in METRICS.items()}


def _csv(report: UsageReport, names: Names) -> Response:
    """Return exact numbers: cost in micro-dollars, times in ms."""
    metrics = [Metric.REFUSALS, *(one for one in Metric if one.is_of_times)]
    heads = [report.by, "id", *SUMMARY_FIGURES, *metrics]
    rows = (
        [
            _name(report, names, line.id),
            line.id,
            *(line.figures.get(name, 0) for name in SUMMARY_FIGURES),
            *(value_of(line, one) for one in metrics),
        ]
        for line in report.lines
    )
    response = Response(csv_text(heads, rows), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="usage.csv"'
    return response
