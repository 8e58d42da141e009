"""Usage over a time span, as totals and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.admin.pages import clock, formatting
from app.admin.pages.charts import Chart, Series, Shape
from app.ledger.caller_figures import received_by_callers
from app.ledger.measurements import Times
from app.ledger.sums import Grouping, Only
from app.ledger.usage_reading import UsageReading
from app.presentation.usage_report import Metric, is_of_callers, timed
from app.wiring import Services

SPANS = (("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"), ("90d", "90 d"))
DEFAULT_SPAN = "24h"
MAX_CODES = 3  # refusal codes that are shown next to the total

Figures = Mapping[str, int]  # requests, errors, input_tokens, output_tokens, cost, first_ms, …


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """
    Usage figures for each point in time, oldest first; `until` is the end of the last point, Unix seconds.
    """

    starts: Sequence[int]  # Unix seconds
    points: Sequence[Figures]
    until: int
    refused: Sequence[tuple[str, int]] = ()  # (code, count), the most frequent first
    times: Sequence[Times] = ()  # of each point
    all_times: Times | None = None
    of_callers: bool = True  # see app.presentation.usage_report.is_of_callers

    def total(self, name: str) -> int:
        """Return the sum of the figure *name*."""
        return sum(point.get(name, 0) for point in self.points)

    def totals(self) -> list[tuple[str, str, str]]:
        """Return (label, value, note) of each total."""
        figures = self._received({name: self.total(name) for name in ("requests", "errors", "fallbacks")})
        requests, errors = figures["requests"], figures["errors"]
        cached, into = self.total("cached_tokens"), self.total("input_tokens")
        return [
            ("Requests", formatting.short(requests), self._fallbacks_note(figures["fallbacks"])),
            (
                "Errors",
                formatting.short(errors),
                formatting.percent(100 * min(errors, requests) / requests) if requests else "",
            ),
            ("Refused", formatting.short(sum(count for _, count in self.refused)), self._refused_by_code()),
            (
                "Tokens in",
                formatting.short(into),
                f"{formatting.percent(100 * cached / into)} cached" if cached and into else "",
            ),
            ("Tokens out", formatting.short(self.total("output_tokens")), ""),
            ("Cost", formatting.dollars(self.total("cost")), ""),
            (
                "First token",
                formatting.millis(timed(self.all_times, Metric.FIRST_P50)),
                f"p95 {formatting.millis(timed(self.all_times, Metric.FIRST_P95))}",
            ),
        ]

    def _received(self, figures: Figures) -> dict[str, int]:
        return received_by_callers(figures) if self.of_callers else {**figures}

    def _fallbacks_note(self, fallbacks: int) -> str:
        """Return how often fallback models were tried: of callers, in addition to their requests."""
        if not fallbacks:
            return ""
        number = formatting.short(fallbacks)
        return f"and {number} at fallback models" if self.of_callers else f"{number} at a fallback model"

    def account_totals(self) -> list[tuple[str, str, str]]:
        """
        Return the totals of an account, with attempts instead of refusals, which never reach an account.
        """
        attempts, failed = self.total("attempts"), self.total("failed_attempts")
        share = formatting.percent(100 * failed / attempts) if attempts and failed else ""
        others = [total for total in self.totals() if total[0] not in ("Errors", "Refused")]
        return [
            others[0],
            ("Attempts", formatting.short(attempts), ""),
            ("Failed attempts", formatting.short(failed), share),
            ("Rescued", formatting.short(self.total("rescues")), "by another account, same model"),
            *others[1:],
        ]

    def team_totals(self) -> list[tuple[str, str, str]]:
        """Return the totals of a team, without refusals, which are counted by key."""
        return [total for total in self.totals() if total[0] != "Refused"]

    def _refused_by_code(self) -> str:
        return ", ".join(
            f"{formatting.short(count)} {code.replace('_', ' ')}" for code, count in self.refused[:MAX_CODES]
        )

    def charts(self) -> list[Chart]:
        """Return the charts of requests, tokens, cost and time to the first token."""
        answered = [point.get("requests", 0) - point.get("errors", 0) for point in self.points]
        errors = [self._received(point).get("errors", 0) for point in self.points]
        return [
            self._chart(
                "requests",
                "Requests",
                Series("answered", "series-1", answered),
                Series("errors", "series-bad", errors),
            ),
            self._chart(
                "tokens",
                "Tokens",
                Series("in", "series-1", self._of("input_tokens")),
                Series("out", "series-2", self._of("output_tokens")),
            ),
            self._chart(
                "cost", "Cost", Series("cost", "series-3", self._of("cost")), format_value=formatting.dollars
            ),
            self._chart(
                "first",
                "First token",
                Series("p50", "series-1", self._percentiles(Metric.FIRST_P50)),
                Series("p95", "series-2", self._percentiles(Metric.FIRST_P95)),
                format_value=formatting.millis,
                shape=Shape.LINES,
            ),
        ]

    def _chart(
        self,
        name: str,
        title: str,
        *series: Series,
        format_value: formatting.Formatter = formatting.short,
        shape: Shape = Shape.COLUMNS,
    ) -> Chart:
        axis = formatting.short_dollars if format_value is formatting.dollars else None
        zone = clock.viewer_zone()
        return Chart(name, title, self.starts, series, format_value, self.until, shape, zone, axis)

    def _of(self, name: str) -> list[float | None]:
        return [point.get(name, 0) for point in self.points]

    def _percentiles(self, metric: Metric) -> list[float | None]:
        return [timed(times, metric) for times in self.times]


def span_of(args: Mapping[str, str]) -> str:
    """Return the `span` in the query *args* if it is valid, else the default one."""
    span = args.get("span", DEFAULT_SPAN)
    return span if span in dict(SPANS) else DEFAULT_SPAN


def summarize_usage(services: Services, pool: str, span: str, only: Only | None = None) -> UsageSummary:
    """Return the usage of *pool* in *span*, or that of one key, account or team."""
    return summarize_reading(services, pool, services.ledger.series.at_once(pool), span, only)


def summarize_reading(
    services: Services, pool: str, usage: UsageReading, span: str, only: Only | None = None
) -> UsageSummary:
    """Do the same as `summarize_usage` with a *usage* that the page has read for other parts, too."""
    within = usage.range_of(span)
    by, line = (only.noun, only.id) if only else (Grouping.ALL, "")
    series, times = usage.read(within, by, only), usage.times(within, by, [line])
    refused: Sequence[tuple[str, int]] = ()
    if by in (Grouping.ALL, Grouping.KEY):
        refused = services.ledger.refusals.counts(pool, span).by_code(line or None)
    return UsageSummary(
        series.starts,
        series.points(line),
        series.until,
        refused,
        times.points(line),
        times.totals().get(line),
        is_of_callers(by, only),
    )
