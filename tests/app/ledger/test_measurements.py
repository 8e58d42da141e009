"""What is measured of ledger entries, and how measurements add up."""

from __future__ import annotations

from typing import Any

import pytest

from app.ledger.histograms import bucket_of
from app.ledger.measurements import (
    ENDPOINT_USAGE,
    MAX_IDS,
    OTHER,
    Measure,
    Measurements,
    measured_values,
    parse_times,
    parse_usage,
)
from app.ledger.sums import SUMMARY_FIGURES

ROW = {
    "id": "req_1",
    "at_ms": 0,
    "key": "key_1",
    "account": "acct_1",
    "model": "gpt-5",
    "endpoint": "/v1/responses",
    "status": 200,
    "source": "upstream",
    "input_tokens": 10,
    "output_tokens": 20,
    "first_ms": 100,
    "total_ms": 300,
}


def row(**more: Any) -> dict[str, Any]:
    return {name: value for name, value in (ROW | more).items() if value is not None}


def measured(*rows: dict[str, Any]) -> Measurements:
    measurements = Measurements()
    for each in rows:
        measurements.add_row(each)
    return measurements


class TestValues:
    def test_a_streamed_response(self) -> None:
        """20 tokens in the 200 ms after the first one are 100 per second."""
        assert dict(measured_values(row())) == {Measure.FIRST: 100, Measure.TOTAL: 300, Measure.SPEED: 100}

    def test_a_response_in_one_piece_has_no_speed(self) -> None:
        assert dict(measured_values(row(first_ms=299))) == {Measure.FIRST: 299, Measure.TOTAL: 300}

    @pytest.mark.parametrize(
        "more", [{"status": 502}, {"source": "cache"}, {"source": "corrected"}, {"total_ms": None}]
    )
    def test_not_measured(self, more: dict[str, Any]) -> None:
        assert not dict(measured_values(row(**more)))

    def test_without_a_first_token(self) -> None:
        assert dict(measured_values(row(first_ms=None))) == {Measure.TOTAL: 300}


class TestParts:
    def test_every_grouping(self) -> None:
        texts = measured(row(team="red"), row(key="key_2", model="o3", counted_as="(other)")).texts()

        assert set(parse_times(texts["key"])) == {"key_1", "key_2"}
        assert set(parse_times(texts["model"])) == {"gpt-5", "(other)"}
        assert set(parse_times(texts["team"])) == {"red"}
        assert set(parse_times(texts["endpoint"])) == {"/v1/responses"}
        assert parse_times(texts["all"])[""][Measure.TOTAL] == {bucket_of(300): 2}

    def test_usage_by_endpoint(self) -> None:
        texts = measured(row(), row(status=500), row(endpoint="/v1/embeddings", output_tokens=0)).texts()

        usage = parse_usage(texts[ENDPOINT_USAGE])
        figures = {who: dict(zip(SUMMARY_FIGURES, amounts, strict=True)) for who, amounts in usage.items()}
        assert figures["/v1/responses"] | {"requests": 2, "errors": 1} == figures["/v1/responses"]
        assert figures["/v1/responses"]["output_tokens"] == 40
        assert figures["/v1/embeddings"]["input_tokens"] == 10

    def test_a_failed_attempt_that_was_billed_counts_once(self) -> None:
        failed = {"account": "acct_2", "input_tokens": 4, "output_tokens": 0, "failure": "cut"}

        texts = measured(row(attempts=[failed, {"account": "acct_1"}])).texts()

        usage = parse_usage(texts[ENDPOINT_USAGE])["/v1/responses"]
        assert usage[SUMMARY_FIGURES.index("requests")] == 1
        assert usage[SUMMARY_FIGURES.index("input_tokens")] == 10

    def test_parts_add_up(self) -> None:
        rows = [row(total_ms=300 + 50 * n, key=f"key_{n % 3}") for n in range(20)]
        added = Measurements()
        for each in rows:
            added.add_texts(measured(each).texts())

        assert added.texts() == measured(*rows).texts()

    def test_the_busiest_ids_are_listed_by_name(self) -> None:
        rows = [row(key=f"key_{n}") for n in range(MAX_IDS + 5)]

        times = parse_times(measured(*rows, row(key="key_1004")).texts()["key"])

        assert len(times) == MAX_IDS + 1
        assert "key_1004" in times
        assert sum(times[OTHER][Measure.TOTAL].values()) == 5
