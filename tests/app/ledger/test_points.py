"""Parts of lines at points: totals, points and sums of lines are of the same parts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.ledger.histograms import Histogram, merged
from app.ledger.points import REST, make_series, make_times
from app.ledger.ranges import Range, Step
from app.ledger.sums import SUMMARY_FIGURES, Sums

WITHIN = Range(Step.FOUR_HOURS, (3600, 14_400, 28_800), 40_000)
IDS = st.sampled_from(["a", "b", 'odd"id', ""])
SUMS = st.dictionaries(
    IDS, st.lists(st.integers(0, 10**12), min_size=len(SUMMARY_FIGURES), max_size=len(SUMMARY_FIGURES))
)
AT = st.integers(3600, 40_000)
HISTOGRAMS = st.dictionaries(st.integers(0, 200), st.integers(1, 1000), max_size=4)


@given(st.lists(st.tuples(AT, SUMS)))
def test_a_total_is_the_sum_of_its_points(parts: list[tuple[int, Sums]]) -> None:
    series = make_series(WITHIN, parts)

    totals = series.totals()
    assert set(totals) == {line for _, sums in parts for line in sums}
    for line, total in totals.items():
        points = series.points(line)
        assert len(points) == 3
        for figure in SUMMARY_FIGURES:
            assert total[figure] == sum(point[figure] for point in points)


@given(st.lists(st.tuples(AT, SUMS)), st.lists(IDS, unique=True), st.lists(st.sampled_from(SUMMARY_FIGURES)))
def test_the_rest_is_all_other_lines(
    parts: list[tuple[int, Sums]], lines: list[str], figures: list[str]
) -> None:
    series = make_series(WITHIN, parts)

    selected = series.with_rest(lines)

    others = [series.points(line) for line in series.lines if line not in lines]
    assert selected.sums(REST, figures) == [
        sum(points[index][figure] for points in others for figure in figures) for index in range(3)
    ]
    assert set(selected.lines) == {*lines, REST}
    assert all(selected.points(line) == series.points(line) for line in lines)


@given(st.lists(st.tuples(AT, st.dictionaries(IDS, st.tuples(HISTOGRAMS, HISTOGRAMS, HISTOGRAMS)))))
def test_times_in_all_are_those_of_the_points(parts: list[tuple[int, Any]]) -> None:
    times = make_times(WITHIN, parts)

    for line, total in times.totals().items():
        for measure in range(3):
            of_points: list[Histogram] = [point[measure] for point in times.points(line)]
            assert merged(of_points) == total[measure]


def test_parts_that_are_not_prepared_are_counted() -> None:
    series = make_series(WITHIN, [(3600, None), (7200, {"": [1] * len(SUMMARY_FIGURES)}), (1, None), (0, {})])

    assert (series.unprepared, series.totals()[""]["requests"]) == (2, 1)
