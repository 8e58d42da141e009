"""Hours, days, weeks and months as a zone counts them, also where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.stores.calendar import SPANS, Calendar

HOUR_MS = 3_600_000
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Africa/Cairo", "Australia/Lord_Howe")


def windows(zone: str, moment: str) -> dict[str, list[str]]:
    """The windows around a local time, as local times."""
    local = ZoneInfo(zone)
    now = datetime.fromisoformat(moment).replace(tzinfo=local).timestamp()
    found = Calendar().windows(zone, now)
    return {
        span: [f"{datetime.fromtimestamp(ms / 1000, local):%Y-%m-%d %H:%M}" for ms in bounds]
        for span, bounds in found.items()
    }


class TestWindows:
    def test_ordinary(self) -> None:
        assert windows("Europe/Berlin", "2026-11-18 14:35") == {
            "hour": ["2026-11-18 14:00", "2026-11-18 15:00", "2026-11-18 16:00"],
            "day": ["2026-11-18 00:00", "2026-11-19 00:00", "2026-11-20 00:00"],
            "week": ["2026-11-16 00:00", "2026-11-23 00:00", "2026-11-30 00:00"],
            "month": ["2026-11-01 00:00", "2026-12-01 00:00", "2027-01-01 00:00"],
        }

    @pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
    def test_days_have_their_real_length(self, day: str, hours: int) -> None:
        now = datetime.fromisoformat(f"{day} 12:00").replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
        start, end, _ = Calendar().windows("Europe/Berlin", now)["day"]

        assert end - start == hours * HOUR_MS

    def test_day_without_a_midnight(self) -> None:
        """Cairo's clocks go from 24:00 to 1:00: the day begins at one."""
        assert windows("Africa/Cairo", "2026-04-24 09:00")["day"][0] == "2026-04-24 01:00"

    @pytest.mark.parametrize(
        ("moment", "end"), [("2028-02-29 23:59", "2028-03-01"), ("2026-01-31 00:00", "2026-02-01")]
    )
    def test_ends_of_months(self, moment: str, end: str) -> None:
        assert windows("UTC", moment)["month"][1] == f"{end} 00:00"

    @settings(max_examples=200)
    @given(
        zone=st.sampled_from(ZONES),
        now=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(
            lambda moment: moment.replace(tzinfo=UTC).timestamp()
        ),
    )
    def test_follow_each_other(self, zone: str, now: float) -> None:
        """Now is in the first window; the second, seen from inside it, is the same."""
        for span in SPANS:
            start, end, after = Calendar().windows(zone, now)[span]
            assert start <= now * 1000 < end < after
            assert Calendar().windows(zone, end / 1000)[span][:2] == [end, after]


class TestMemory:
    def test_is_correct_for_the_full_hour(self) -> None:
        """
        A calendar that was made earlier in the hour still has the window of a moment.

        Midnight in India falls in the middle of an hour of UTC: the next window takes over.
        """
        calendar = Calendar()
        midnight = datetime(2026, 5, 6, tzinfo=ZoneInfo("Asia/Kolkata")).timestamp()
        before = calendar.windows("Asia/Kolkata", midnight - 1)

        assert calendar.windows("Asia/Kolkata", midnight + 1) is before
        assert before["day"][1] == midnight * 1000

    def test_ends_with_the_hour(self) -> None:
        calendar = Calendar()
        start = datetime(2026, 5, 6, 10, 59, tzinfo=UTC)
        seen = [
            calendar.windows("UTC", (start + timedelta(minutes=n)).timestamp())["hour"] for n in (0, 1, 2)
        ]

        assert [a == b for a, b in pairwise(seen)] == [False, True]

    def test_zones_are_independent(self) -> None:
        calendar = Calendar()

        assert calendar.windows("UTC", 0.0)["day"] != calendar.windows("Asia/Kolkata", 0.0)["day"]
