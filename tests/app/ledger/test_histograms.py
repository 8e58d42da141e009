"""Percentiles of histograms, compared with those of the values themselves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.histograms import (
    LARGEST,
    RELATIVE_ERROR,
    Histogram,
    bucket_of,
    flatten,
    merged,
    percentile,
    unflatten,
)

VALUES = st.floats(1, 4_000_000) | st.integers(1, 1_000_000)
LISTS = st.lists(VALUES, max_size=60)


def histogram_of(values: list[float]) -> Histogram:
    return merged({bucket_of(value): 1} for value in values)


def exact_percentile(values: list[float], percent: float) -> float:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


@given(st.lists(VALUES, min_size=1, max_size=60), st.sampled_from([50, 90, 95, 99, 100]))
def test_relative_error(values: list[float], percent: float) -> None:
    """A percentile is off by at most RELATIVE_ERROR, which is below 4.5 %."""
    estimate = percentile(histogram_of(values), percent)

    assert estimate == pytest.approx(exact_percentile(values, percent), rel=RELATIVE_ERROR + 1e-9)
    assert RELATIVE_ERROR < 0.045


@given(st.lists(LISTS, max_size=6))
def test_histograms_of_parts_add_up(parts: list[list[float]]) -> None:
    """A sum is the histogram of all values, in whichever order parts are added."""
    everything = histogram_of([value for part in parts for value in part])
    histograms = [histogram_of(part) for part in parts]

    assert merged(histograms) == merged(histograms[::-1]) == everything
    assert merged([merged(histograms[:2]), merged(histograms[2:])]) == everything


@given(LISTS)
def test_is_stored_and_read(values: list[float]) -> None:
    histogram = histogram_of(values)

    assert unflatten(flatten(histogram)) == histogram


@pytest.mark.parametrize("value", [-5.0, 0.0, 0.5, 1.0])
def test_small_values(value: float) -> None:
    assert bucket_of(value) == 0


def test_huge_values_count_as_the_largest() -> None:
    assert bucket_of(1e300) == bucket_of(math.inf) == bucket_of(LARGEST)


def test_nothing() -> None:
    assert percentile({}, 95) is None
