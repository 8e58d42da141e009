"""Ranges of time, and their points."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequest
from app.ledger.ranges import MAX_POINTS, Span, Step, in_days, range_between, range_of_span

NOW = int(datetime(2026, 11, 29, 16, 30, tzinfo=UTC).timestamp())
BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86400


def at(year: int, month: int, day: int, hour: int = 0, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime(year, month, day, hour, tzinfo=zone).timestamp())


@pytest.mark.parametrize(
    ("span", "step", "points"),
    [
        (Span.HOUR, Step.MINUTE, 60),
        (Span.DAY, Step.HOUR, 24),
        (Span.WEEK, Step.FOUR_HOURS, 43),
        (Span.MONTH, Step.DAY, 30),
        (Span.QUARTER, Step.DAY, 90),
    ],
)
def test_spans(span: Span, step: Step, points: int) -> None:
    within = range_of_span(span, NOW, BERLIN)

    assert (within.step, len(within.starts), within.until) == (step, points, NOW)


@pytest.mark.parametrize(
    ("since", "until", "step", "points"),
    [
        ((2026, 11, 20), (2026, 11, 21), Step.HOUR, 24),
        ((2026, 11, 20), (2026, 11, 25), Step.HOUR, 120),
        ((2026, 11, 20), (2026, 11, 26), Step.DAY, 6),
        ((2026, 8, 1), (2026, 11, 1), Step.DAY, 92),
        ((2025, 1, 1), (2026, 1, 1), Step.WEEK, 53),
    ],
)
def test_steps(since: tuple[int, int, int], until: tuple[int, int, int], step: Step, points: int) -> None:
    within = range_between(at(*since), at(*until), NOW, BERLIN)

    assert (within.step, len(within.starts), within.since, within.until) == (
        step,
        points,
        at(*since),
        at(*until),
    )


def test_days_are_complete() -> None:
    """A range of days includes all of the days that its ends are in."""
    within = range_between(at(2026, 11, 1, 15), at(2026, 11, 10, 3), NOW, BERLIN)

    assert (within.since, within.until) == (at(2026, 11, 1), at(2026, 11, 11))


def test_hours_are_complete() -> None:
    within = range_between(NOW - 7200, NOW - 3601, NOW, BERLIN)

    assert (within.since, within.until) == (NOW - 9000, NOW - 1800)


def test_ends_now_at_the_latest() -> None:
    assert range_between(NOW - 7200, NOW + 999_999, NOW, BERLIN).until == NOW
    assert range_between(NOW - 20 * DAY, NOW + 99, NOW, BERLIN).until == NOW


@pytest.mark.parametrize(
    ("since", "until", "param"),
    [
        (NOW - 5, NOW - 5, "to"),
        (NOW - 5, NOW - 10, "to"),
        (NOW, NOW + 10, "from"),
        (-5, NOW, "from"),
        (NOW - 732 * DAY, NOW, "from"),
    ],
)
def test_refused(since: int, until: int, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        range_between(since, until, NOW, BERLIN)

    assert refused.value.param == param
    assert param in str(refused.value.message)


@given(
    st.integers(NOW - 1500 * DAY, NOW - 1),
    st.integers(1, 731 * DAY),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia"]),
)
def test_every_range_is_sound(since: int, length: int, zone: str) -> None:
    """Its points are in order, at most 120, and include both ends."""
    within = range_between(since, since + length, NOW, ZoneInfo(zone))

    assert list(within.starts) == sorted(set(within.starts))
    assert 1 <= len(within.starts) <= MAX_POINTS
    assert within.since <= since < min(since + length, NOW) <= within.until <= NOW
    assert within.starts[-1] < within.until


def test_in_days() -> None:
    week = in_days(range_of_span(Span.WEEK, NOW, BERLIN), NOW, BERLIN)

    assert (week.step, len(week.starts), week.span) == (Step.DAY, 8, Span.WEEK)
