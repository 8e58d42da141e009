"""A usage report: the usage of each key, team, account, model or endpoint in a range, and durations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from operator import itemgetter

from app.errors import InvalidRequest
from app.ledger.caller_figures import errors_of_callers, requests_of_callers
from app.ledger.histograms import percentile
from app.ledger.measurements import Measure, Times, add_times, no_times
from app.ledger.points import REST, Series, TimesSeries
from app.ledger.ranges import Range
from app.ledger.series import UsageSeries
from app.ledger.sums import SUMMARY_FIGURES, Grouping, Only
from app.ledger.usage_reading import UsageReading
from app.presentation.names import Names
from app.presentation.usage import add_groups, key_groups
from app.stores.api_keys import ApiKeyRepository
from app.stores.refusals import RefusalRepository

ONLY = (Grouping.KEY, Grouping.TEAM, Grouping.ACCOUNT, Grouping.MODEL, Grouping.ENDPOINT)
Totals = Mapping[str, Mapping[str, int]]  # by line, then by figure
MAX_TIMED = 50  # lines with times: those with the most requests


class Metric(StrEnum):
    """A figure of a report, in the order of the columns."""

    REQUESTS = "requests"
    ERRORS = "errors"
    REFUSALS = "refusals"
    TOKENS = "tokens"
    COST = "cost"
    FIRST_P50 = "first_p50"
    FIRST_P95 = "first_p95"
    TOTAL_P50 = "total_p50"
    TOTAL_P95 = "total_p95"
    SPEED = "speed"

    @property
    def is_of_times(self) -> bool:
        """Whether it is a percentile, which cannot be added up."""
        return self in TIMED


TIMED: Mapping[Metric, tuple[Measure, float]] = {
    Metric.FIRST_P50: (Measure.FIRST, 50),
    Metric.FIRST_P95: (Measure.FIRST, 95),
    Metric.TOTAL_P50: (Measure.TOTAL, 50),
    Metric.TOTAL_P95: (Measure.TOTAL, 95),
    Metric.SPEED: (Measure.SPEED, 50),
}

OF_CALLERS: Mapping[Metric, Callable[[Mapping[str, int]], int]] = {
    Metric.REQUESTS: requests_of_callers,
    Metric.ERRORS: errors_of_callers,
}


@dataclass(frozen=True, slots=True)
class ReportLine:
    """
    The totals of one line; `figures` are in the order of SUMMARY_FIGURES. None: unknown, or not counted.

    By account and by model (not *of_callers*), a request counts at each model that it was tried at, and a
    failure although another model answered.
    """

    id: str
    figures: Mapping[str, int]
    refusals: int | None
    times: Times | None
    of_callers: bool = True

    def value(self, metric: Metric) -> float | None:
        """Return *metric*: a count, micro-dollars, ms, or tokens per second."""
        if metric is Metric.REFUSALS:
            return self.refusals
        if metric in TIMED:
            return timed(self.times, metric)
        if metric in OF_CALLERS and self.of_callers:
            return OF_CALLERS[metric](self.figures)
        return sum(self.figures.get(name, 0) for name in _figures(metric))


@dataclass(frozen=True, slots=True)
class UsageReport:
    """
    Usage of a pool in a range, by `by` (a Grouping, `owner` or `label:NAME`); of `only`, if given.

    `lines` are sorted by requests, the most first. `read_lines` returns the usage at each point: of the given
    lines, and of all others together as REST. Refusals are counted since `refused_since`, in full hours.
    """

    by: str
    only: Only | None
    within: Range
    read_lines: Callable[[Collection[str]], Series]
    times: TimesSeries
    lines: Sequence[ReportLine]
    refusals: Mapping[str, Sequence[int]]  # by line, at each point; only for keys and for all
    refused_since: int
    unprepared: int  # hours or days that are left out: their summaries are still being made

    def points(self, lines: Collection[str], metric: Metric) -> dict[str, Sequence[float | None]]:
        """Return *metric* of each of *lines* at each point, and of REST where it adds up."""
        if metric.is_of_times:
            return {line: [timed(each, metric) for each in self.times.points(line)] for line in lines}
        if metric is Metric.REFUSALS:
            none = [0] * len(self.within.starts)
            others = [counts for line, counts in self.refusals.items() if line not in lines]
            own = {line: self.refusals.get(line, none) for line in lines}
            return {**own, REST: [*map(sum, zip(none, *others, strict=True))]}
        series = self.read_lines(lines)
        if metric in OF_CALLERS and is_of_callers(self.by, self.only):
            return {line: [*map(OF_CALLERS[metric], series.points(line))] for line in (*lines, REST)}
        return {line: series.sums(line, _figures(metric)) for line in (*lines, REST)}

    def total(self) -> ReportLine:
        """Return the sums of all lines."""
        sums, times = Counter[str](), no_times()
        for line in self.lines:
            sums.update(line.figures)
            if line.times is not None:
                add_times(times, line.times)
        refused = [line.refusals for line in self.lines if line.refusals is not None]
        total = sum(refused) if refused else None
        return ReportLine("", sums, total, times, is_of_callers(self.by, self.only))


def read_only(params: Mapping[str, str], names: Names) -> Only | None:
    """
    Return what the parameters `key`, `team`, `account`, `model` and `endpoint` select, by name or id.

    Returns None if none is set. Raises InvalidRequest with the name of the parameter.
    """
    chosen = [noun for noun in ONLY if params.get(noun)]
    if len(chosen) > 1:
        raise InvalidRequest(
            f"{chosen[1]} cannot be combined with {chosen[0]}: usage is added up for each one, not for both "
            "together. The page Requests can be filtered by both",
            param=chosen[1],
        )
    if not chosen:
        return None
    noun, text = chosen[0], params[chosen[0]]
    return Only(noun, names.id_of(noun, text) if noun in (Grouping.KEY, Grouping.ACCOUNT) else text)


def is_of_callers(by: str, only: Only | None = None) -> bool:
    """
    Return whether usage by *by*, of *only*, counts what callers received, and not what a model or an account
    did: of one of these, the request at another model is not included.
    """
    of_one = (Grouping.ACCOUNT, Grouping.MODEL)
    return by not in of_one and (only is None or only.noun not in of_one)


def timed(times: Times | None, metric: Metric) -> float | None:
    """Return the percentile *metric* of *times*."""
    measure, percent = TIMED[metric]
    return None if times is None else percentile(times[measure], percent)


def _figures(metric: Metric) -> tuple[str, ...]:
    """Return the figures that add up to *metric*."""
    return ("input_tokens", "output_tokens") if metric is Metric.TOKENS else (metric,)


class UsageReporter:
    """Makes the usage reports that the API, the pages and the commands show."""

    def __init__(self, usage: UsageSeries, refusals: RefusalRepository, api_keys: ApiKeyRepository) -> None:
        self._usage = usage
        self._refusals = refusals
        self._api_keys = api_keys

    def report(
        self, pool: str, within: Range, by: str, only: Only | None = None, *, times_at_points: bool = False
    ) -> UsageReport:
        """
        Return the usage of *pool* in *within* by *by*: a Grouping, `owner` or `label:NAME`.

        Times are those of the entire range or, with *times_at_points*, of each point. Raises InvalidRequest,
        as `UsageReading.read` does.
        """
        groups, usage = key_groups(by, partial(self._api_keys.all, pool)), self._usage.at_once(pool)
        stored_by = by if groups is None else Grouping.KEY
        read_lines: Callable[[Collection[str]], Series]
        if groups is None and only is None:
            series, shown = usage.read(within.as_one_point, by), within
            read_lines = partial(usage.read_lines, within, by)
        else:
            series = usage.read(within, stored_by, only)
            shown = Range(series.step, tuple(series.starts), series.until, within.span)
            read_lines = (series if groups is None else add_groups(series, groups)).with_rest
        timed_range = shown if times_at_points else shown.as_one_point
        totals = series.totals()
        times = _read_times(usage, timed_range, stored_by, only, totals)
        refusals, since = self._refused(pool, shown, stored_by, only)
        if groups is not None:
            times, totals = _grouped_times(times, groups), add_groups(series, groups).totals()
            refusals = _grouped_refusals(refusals, groups)
        lines = _lines(totals, times, refusals, stored_by, only)
        return UsageReport(by, only, shown, read_lines, times, lines, refusals, since, series.unprepared)

    def _refused(
        self, pool: str, within: Range, by: str, only: Only | None
    ) -> tuple[dict[str, list[int]], int]:
        """Return the refusals of each line at each point; {} if they are not counted."""
        own_key = only.id if only is not None and only.noun is Grouping.KEY else None
        if by not in (Grouping.ALL, Grouping.KEY) or (only is not None and own_key is None):
            return {}, 0
        line_of: Callable[[str], str] = (lambda key: "") if by == Grouping.ALL else str
        points: dict[str, list[int]] = {}
        since, counts = self._refusals.counts_between(pool, within.since, within.until)
        for hour, key, count in counts:
            if own_key in (None, key):
                of_line = points.setdefault(line_of(key), [0] * len(within.starts))
                of_line[within.point_at(hour)] += count
        return points, since


def _read_times(
    usage: UsageReading, within: Range, by: str, only: Only | None, totals: Totals
) -> TimesSeries:
    if only is None:
        number = requests_of_callers if is_of_callers(by) else itemgetter("requests")
        busiest = sorted(totals, key=lambda line: -number(totals[line]))
        return usage.times(within, by, busiest[:MAX_TIMED])
    if by not in (Grouping.ALL, only.noun):
        return TimesSeries(within.starts, within.until, {})
    times = usage.times(within, only.noun, [only.id])
    line = "" if by == Grouping.ALL else only.id
    return replace(times, lines={line: times.lines[only.id]} if only.id in times.lines else {})


def _lines(
    totals: Totals, times: TimesSeries, refusals: Mapping[str, Sequence[int]], by: str, only: Only | None
) -> list[ReportLine]:
    total_times = times.totals()
    counts_refusals = by in (Grouping.ALL, Grouping.KEY) and (only is None or only.noun is Grouping.KEY)
    lines = [
        ReportLine(
            line,
            totals.get(line, dict.fromkeys(SUMMARY_FIGURES, 0)),
            sum(refusals.get(line, ())) if counts_refusals else None,
            total_times.get(line),
            is_of_callers(by, only),
        )
        for line in totals.keys() | refusals.keys()
    ]
    return sorted(lines, key=lambda line: (-(line.value(Metric.REQUESTS) or 0), line.id))


def _grouped_times(times: TimesSeries, groups: Mapping[str, str]) -> TimesSeries:
    lines: dict[str, list[tuple[int, Times]]] = defaultdict(list)
    for key, parts in times.lines.items():
        lines[groups.get(key, "")].extend(parts)
    return replace(times, lines=dict(lines))


def _grouped_refusals(refusals: Mapping[str, list[int]], groups: Mapping[str, str]) -> dict[str, list[int]]:
    lines: dict[str, list[int]] = {}
    for key, points in refusals.items():
        group = groups.get(key, "")
        lines[group] = list(map(sum, zip(lines.get(group, [0] * len(points)), points, strict=True)))
    return lines
