"""Usage reports: figures, refusals and percentiles of each line, for API, pages and commands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidRequest
from app.ledger.ranges import Step
from app.ledger.sums import Grouping, Only
from app.presentation.names import Names
from app.presentation.usage_json import serialize_report
from app.presentation.usage_range import read_range
from app.presentation.usage_report import Metric, UsageReporter, read_only
from app.stores import keys
from app.wiring import Services
from tests.support.admin import services_on
from tests.support.ledger_rows import record_request

POOL = "default"


@pytest.fixture
def services(redis_client: Any, redis_url: str, tmp_path: Path) -> Services:
    return services_on(redis_url, tmp_path)


@pytest.fixture
def reporter(services: Services) -> UsageReporter:
    services.pools.ensure(POOL)
    return UsageReporter(services.ledger.series, services.ledger.refusals, services.api_keys)


def report(
    services: Services, reporter: UsageReporter, by: str, span: str = "24h", only: Only | None = None
) -> Any:
    return reporter.report(POOL, services.ledger.series.range_of(POOL, span), by, only)


def refuse(services: Services, key: str, count: int, hours_ago: int = 0) -> None:
    hour = int(time.time()) // 3600 * 3600 - hours_ago * 3600
    services.scripts.client.hincrby(keys.refused(POOL, hour), f"{key}|rate_limit_exceeded", count)


class TestReport:
    def test_lines(self, services: Services, reporter: UsageReporter) -> None:
        """The busiest first; a key that was only refused is a line too."""
        now = time.time()
        record_request(
            services.scripts, POOL, now, key="key_a", first_ms=100, total_ms=1100, output_tokens=50
        )
        record_request(services.scripts, POOL, now, key="key_b")
        record_request(services.scripts, POOL, now, key="key_b", status=500)
        refuse(services, "key_c", 7)

        lines = {line.id: line for line in report(services, reporter, "key").lines}

        assert list(lines) == ["key_b", "key_a", "key_c"]
        assert [line.value(Metric.REFUSALS) for line in lines.values()] == [0, 0, 7]
        assert lines["key_b"].value(Metric.ERRORS) == 1
        assert lines["key_a"].value(Metric.FIRST_P95) == pytest.approx(100, rel=0.045)
        assert lines["key_a"].value(Metric.TOTAL_P50) == pytest.approx(1100, rel=0.045)
        assert lines["key_a"].value(Metric.SPEED) == pytest.approx(50, rel=0.045)
        assert lines["key_c"].value(Metric.SPEED) is None

    def test_total(self, services: Services, reporter: UsageReporter) -> None:
        for total_ms in (100, 200, 10_000):
            record_request(services.scripts, POOL, time.time(), key=f"key_{total_ms}", total_ms=total_ms)

        total = report(services, reporter, "key").total()

        assert total.value(Metric.REQUESTS) == 3
        assert total.value(Metric.TOTAL_P50) == pytest.approx(200, rel=0.045)

    def test_points(self, services: Services, reporter: UsageReporter) -> None:
        refuse(services, "key_a", 3, hours_ago=2)

        points = report(services, reporter, "all").points([""], Metric.REFUSALS)[""]

        assert len(points) == 24
        assert points[-3] == 3 == sum(points)

    @pytest.mark.parametrize(("by", "counted"), [("all", True), ("key", True), ("model", False)])
    def test_refusals_are_counted_by_key(
        self, services: Services, reporter: UsageReporter, by: str, counted: bool
    ) -> None:
        record_request(services.scripts, POOL, time.time())

        (line,) = report(services, reporter, by).lines

        assert (line.refusals is not None) is counted

    def test_figures_of_callers(self, services: Services, reporter: UsageReporter) -> None:
        """A try after which another model was tried counts by model, not by key; also at points."""
        for row in ({"status": 502}, {"model": "o3", "fallbacks": 1}, {"status": 429}):
            record_request(services.scripts, POOL, time.time(), **row)

        for by, expected in (
            ("key", 1),
            ("all", 1),
            ("endpoint", 1),
            ("owner", 1),
            ("model", 2),
            ("account", 2),
        ):
            found = report(services, reporter, by)
            lines = [line.id for line in found.lines]
            for metric, number in ((Metric.ERRORS, expected), (Metric.REQUESTS, expected + 1)):
                assert sum(line.value(metric) or 0 for line in found.lines) == number
                assert found.total().value(metric) == number
                assert sum(map(sum, found.points(lines, metric).values())) == number

    @pytest.mark.parametrize(("by", "expected"), [("key", ["key_b", "key_a"]), ("model", ["gpt-5", "o3"])])
    def test_the_order_is_that_of_the_requests_shown(
        self,
        services: Services,
        reporter: UsageReporter,
        monkeypatch: pytest.MonkeyPatch,
        by: str,
        expected: list[str],
    ) -> None:
        """Tries at later models move no key ahead, and take no times from one with more requests."""
        monkeypatch.setattr("app.presentation.usage_report.MAX_TIMED", 1)
        for row in (
            {"key": "key_a", "model": "o3"},
            {"key": "key_a", "fallbacks": 1},
            {"key": "key_a", "fallbacks": 1},
            {"key": "key_b", "model": "o3"},
            {"key": "key_b"},
        ):
            record_request(services.scripts, POOL, time.time(), **row)

        lines = report(services, reporter, by).lines

        assert [line.id for line in lines] == expected
        assert [line.times is not None for line in lines] == [True, False]

    def test_figures_of_the_callers_of_a_model(self, services: Services, reporter: UsageReporter) -> None:
        """Of one model, a try at it is a request, whatever was tried before."""
        for row in ({"status": 502}, {"model": "o3", "fallbacks": 1}):
            record_request(services.scripts, POOL, time.time(), **row)

        found = report(services, reporter, "key", only=Only(Grouping.MODEL, "o3"))

        assert (found.total().value(Metric.REQUESTS), found.total().value(Metric.ERRORS)) == (1, 0)
        points = found.points([line.id for line in found.lines], Metric.REQUESTS)
        assert sum(map(sum, points.values())) == 1

    def test_of_one_key(self, services: Services, reporter: UsageReporter) -> None:
        """Its own times and refusals; what is broken down has neither."""
        record_request(services.scripts, POOL, time.time(), key="key_a")
        record_request(services.scripts, POOL, time.time(), key="key_b")
        refuse(services, "key_a", 2)
        refuse(services, "key_b", 5)
        only = Only(Grouping.KEY, "key_a")

        (own,) = report(services, reporter, "all", only=only).lines
        (by_model,) = report(services, reporter, "model", only=only).lines

        assert (own.figures["requests"], own.refusals) == (1, 2)
        assert own.value(Metric.TOTAL_P50)
        assert (by_model.id, by_model.figures["requests"], by_model.refusals) == ("gpt-5", 1, None)
        assert by_model.value(Metric.TOTAL_P50) is None

    def test_by_endpoint(self, services: Services, reporter: UsageReporter) -> None:
        record_request(services.scripts, POOL, time.time() - 1, endpoint="/v1/embeddings", input_tokens=9)

        (line,) = report(services, reporter, "endpoint").lines

        assert (line.id, line.figures["requests"], line.figures["input_tokens"]) == ("/v1/embeddings", 1, 9)
        assert line.value(Metric.TOTAL_P50)

    def test_by_owner(self, services: Services, reporter: UsageReporter) -> None:
        """Keys of one owner are added up, with their times."""
        for name in ("a", "b"):
            key, _ = services.api_keys.create(POOL, name, owner="Ann")
            record_request(services.scripts, POOL, time.time(), key=key.id)
            refuse(services, key.id, 1)

        (line,) = report(services, reporter, "owner").lines

        assert (line.id, line.figures["requests"], line.refusals) == ("Ann", 2, 2)
        assert line.value(Metric.TOTAL_P50)

    def test_json(self, services: Services, reporter: UsageReporter) -> None:
        record_request(services.scripts, POOL, time.time())
        within = services.ledger.series.range_of(POOL, "24h")

        shown = serialize_report(reporter.report(POOL, within, "all"), within, "UTC", Names({}, {}), 5)

        assert (shown["step"], shown["span"], shown["zone"], len(shown["starts"])) == (
            "hour",
            "24h",
            "UTC",
            24,
        )
        (line,) = shown["data"]
        assert line["times"]
        assert line["times"]["total_ms"]["p95"] == pytest.approx(300, rel=0.05)


class TestRange:
    def read(self, services: Services, span: str = "", since: str = "", until: str = "") -> Any:
        services.pools.ensure(POOL)
        usage = services.ledger.series
        return read_range(usage, POOL, span, since, until, services.clock.zone(POOL))

    def test_default(self, services: Services) -> None:
        assert self.read(services).span == "24h"

    def test_dates_include_both_days(self, services: Services) -> None:
        within = self.read(services, since="2026-01-01", until="2026-01-31")

        assert (within.step, len(within.starts), within.until - within.since) == (Step.DAY, 31, 31 * 86400)

    def test_until_now(self, services: Services) -> None:
        since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 40 * 86400))

        assert abs(self.read(services, since=since).until - time.time()) < 5

    @pytest.mark.parametrize(
        ("span", "since", "until", "param"),
        [
            ("2h", "", "", "span"),
            ("24h", "2026-01-01", "", "span"),
            ("", "", "2026-01-01", "from"),
            ("", "yesterday", "", "from"),
            ("", "2026-01-01", "9999-12-31", "to"),
            ("", "2026-01-02", "2026-01-01", "to"),
            ("", "2026-01-01T25:00", "", "from"),
            ("", "2020-01-01", "", "from"),
            ("", "2999-01-01", "", "from"),
        ],
    )
    def test_refused(self, services: Services, span: str, since: str, until: str, param: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            self.read(services, span, since, until)

        assert refused.value.param == param


class TestOnly:
    NAMES = Names({"key_1": "ann"}, {})

    def test_names_and_ids(self) -> None:
        assert read_only({"key": "ann"}, self.NAMES) == Only(Grouping.KEY, "key_1")
        assert read_only({"key": "key_gone"}, self.NAMES) == Only(Grouping.KEY, "key_gone")
        assert read_only({"model": "gpt-5"}, self.NAMES) == Only(Grouping.MODEL, "gpt-5")
        assert read_only({}, self.NAMES) is None

    @pytest.mark.parametrize(
        ("params", "param"), [({"key": "bob"}, "key"), ({"key": "ann", "model": "m"}, "model")]
    )
    def test_refused(self, params: dict[str, str], param: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            read_only(params, self.NAMES)

        assert refused.value.param == param
