"""Projections: when a limit or a usage window is exhausted at the present rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.projection import Projection, Usage, project, project_window, recent_rate

NOW = 1_000_000.0
HOUR = 3600.0


def hours(*amounts: float) -> Usage:
    """Return usage of the hours that end now."""
    starts = [NOW - HOUR * back for back in range(len(amounts), 0, -1)]
    return Usage(starts, amounts, NOW)


class TestUsage:
    def test_between(self) -> None:
        assert hours(100, 60).between(NOW - HOUR, NOW) == 60
        assert hours(100, 60).between(NOW - 1.5 * HOUR, NOW - 0.5 * HOUR) == 80
        assert hours(100, 60).between(NOW - 9 * HOUR, NOW) == 160
        assert hours().between(0, NOW) == 0


class TestProject:
    def test_exhausted_before_its_reset(self) -> None:
        assert project(60, 100, 2, NOW, NOW + 50) == Projection(2, NOW + 20, NOW + 50)

    def test_lasts_until_its_reset(self) -> None:
        projection = project(60, 100, 2, NOW, NOW + 15)

        assert projection.exhausted_at is None

    def test_exhausted_now(self) -> None:
        assert project(100, 100, 0, NOW, NOW + 5).exhausted_at == NOW

    def test_unused(self) -> None:
        assert project(0, 100, 0, NOW, NOW + 5).exhausted_at is None

    @given(st.floats(0, 99), st.floats(1e-6, 1e6), st.floats(1, 1e9))
    def test_a_higher_rate_is_never_later(self, used: float, rate: float, left: float) -> None:
        slow, fast = (project(used, 100, each, NOW, NOW + left) for each in (rate, 2 * rate))

        assert (fast.exhausted_at or NOW + left) <= (slow.exhausted_at or NOW + left)


class TestWindow:
    def test_a_steady_load(self) -> None:
        """40 % in two hours of equal load: the remaining 60 % last three more."""
        usage = hours(70, 70)

        projection = project_window(40, 6 * HOUR, usage, recent_rate(usage, NOW), NOW, NOW + 4 * HOUR)

        assert projection is not None
        assert projection.exhausted_at == pytest.approx(NOW + 3 * HOUR)

    def test_a_load_that_has_stopped(self) -> None:
        projection = project_window(40, 5 * HOUR, hours(70, 0), 0, NOW, NOW + 3 * HOUR)

        assert projection == Projection(0.0, None, NOW + 3 * HOUR)

    def test_usage_before_the_window_does_not_count(self) -> None:
        """10 % were 10 units of the last quarter of an hour, so 90 units are left."""
        projection = project_window(10, 5 * HOUR, hours(900, 40), 90 / HOUR, NOW, NOW + 4.75 * HOUR)

        assert projection is not None
        assert projection.exhausted_at == pytest.approx(NOW + HOUR)

    def test_spent(self) -> None:
        projection = project_window(100, 5 * HOUR, hours(1), 1, NOW, NOW + HOUR)

        assert projection is not None
        assert projection.exhausted_at == NOW

    def test_unused(self) -> None:
        assert project_window(0, 5 * HOUR, hours(1), 1, NOW, NOW + HOUR) == Projection(0.0, None, NOW + HOUR)

    @pytest.mark.parametrize(
        ("usage", "length", "resets_at"),
        [(hours(), 5 * HOUR, NOW + HOUR), (hours(1), 0, NOW + HOUR), (hours(1), 5 * HOUR, NOW - 1)],
        ids=["nothing known", "unknown length", "over"],
    )
    def test_not_projected(self, usage: Usage, length: float, resets_at: float) -> None:
        assert project_window(40, length, usage, 1, NOW, resets_at) is None
