"""What was used over some time, as totals and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.admin.pages import formatting as words
from app.admin.pages.charts import Chart, Series
from app.wiring import Services

SPANS = (("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"))
DEFAULT_SPAN = "24h"
CODES_SHOWN = 3  # of refusals, beside their number

Figures = Mapping[str, int]  # requests, errors, input_tokens, output_tokens, cost, first_ms, …


@dataclass(frozen=True, slots=True)
class Used:
    """Figures of each point in time, oldest first, and where the last one ends."""

    starts: Sequence[int]  # Unix seconds
    points: Sequence[Figures]
    until: int
    refused: Sequence[tuple[str, int]] = ()  # (code, count), the most frequent first

    def total(self, name: str) -> int:
        return sum(point.get(name, 0) for point in self.points)

    def totals(self) -> list[tuple[str, str, str]]:
        """Return (label, value, what stands beside it)."""
        requests, errors = self.total("requests"), self.total("errors")
        cached, into = self.total("cached_tokens"), self.total("input_tokens")
        return [
            ("Requests", words.short(requests), ""),
            ("Errors", words.short(errors), words.percent(100 * errors / requests) if requests else ""),
            ("Refused", words.short(sum(count for _, count in self.refused)), self._refused_by_code()),
            (
                "Tokens in",
                words.short(into),
                f"{words.percent(100 * cached / into)} cached" if cached and into else "",
            ),
            ("Tokens out", words.short(self.total("output_tokens")), ""),
            ("Cost", words.dollars(self.total("cost")), ""),
            ("First token", words.millis(self._mean(self.total("first_ms"), requests, errors)), "on average"),
        ]

    def of_account(self) -> list[tuple[str, str, str]]:
        """Return the totals of an account: its attempts instead of refusals, which no account sees."""
        attempts, failed = self.total("attempts"), self.total("failed_attempts")
        share = words.percent(100 * failed / attempts) if attempts and failed else ""
        others = [one for one in self.totals() if one[0] not in ("Errors", "Refused")]
        return [
            others[0],
            ("Attempts", words.short(attempts), ""),
            ("Failed attempts", words.short(failed), share),
            ("Rescued", words.short(self.total("rescues")), "by another account"),
            *others[1:],
        ]

    def _refused_by_code(self) -> str:
        return ", ".join(
            f"{words.short(count)} {code.replace('_', ' ')}" for code, count in self.refused[:CODES_SHOWN]
        )

    def charts(self) -> list[Chart]:
        fine = [point.get("requests", 0) - point.get("errors", 0) for point in self.points]
        return [
            self._chart(
                "requests",
                "Requests",
                Series("answered", "series-1", fine),
                Series("errors", "series-bad", self._of("errors")),
            ),
            self._chart(
                "tokens",
                "Tokens",
                Series("in", "series-1", self._of("input_tokens")),
                Series("out", "series-2", self._of("output_tokens")),
            ),
            self._chart("cost", "Cost", Series("cost", "series-3", self._of("cost")), say=words.dollars),
            self._chart(
                "first", "First token, mean", Series("mean", "series-1", self._first()), say=words.millis
            ),
        ]

    def _chart(self, name: str, title: str, *series: Series, say: words.Say = words.short) -> Chart:
        return Chart(name, title, self.starts, series, say, until=self.until)

    def _of(self, name: str) -> list[float | None]:
        return [point.get(name, 0) for point in self.points]

    def _first(self) -> list[float | None]:
        return [
            self._mean(point.get("first_ms", 0), point.get("requests", 0), point.get("errors", 0))
            for point in self.points
        ]

    @staticmethod
    def _mean(first_ms: int, requests: int, errors: int) -> float | None:
        answered = requests - errors
        return first_ms / answered if answered > 0 and first_ms else None


def span_of(asked: Mapping[str, str]) -> str:
    span = asked.get("span", DEFAULT_SPAN)
    return span if span in dict(SPANS) else DEFAULT_SPAN


def used(services: Services, pool: str, span: str, *, key_id: str = "", account_id: str = "") -> Used:
    """Return what was used in *span*, by one key or account where it is named."""
    by = "key" if key_id else "account" if account_id else "all"
    found = services.ledger.series.series(pool, span, by)
    refused = [] if account_id else services.ledger.refusals.refused(pool, span).by_code(key_id or None)
    return Used(found.starts, found.points(key_id or account_id), found.until, refused)
