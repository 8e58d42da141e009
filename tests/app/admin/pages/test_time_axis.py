from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.admin.pages.time_axis import MAX_LABELS, labels, period

BERLIN = ZoneInfo("Europe/Berlin")
NOW = int(datetime(2026, 11, 29, 16, 41, tzinfo=UTC).timestamp())


def last(number: int, step: int) -> list[int]:
    current = NOW - NOW % step
    return [current - step * back for back in reversed(range(number))]


class TestLabels:
    @pytest.mark.parametrize(
        ("number", "step", "texts"),
        [
            (60, 60, ["16:50", "17:00", "17:10", "17:20", "17:30", "17:40"]),
            (24, 3600, ["18:00", "21:00", "Nov 29", "03:00", "06:00", "09:00", "12:00", "15:00"]),
            (42, 4 * 3600, ["Nov 23", "Nov 24", "Nov 25", "Nov 26", "Nov 27", "Nov 28", "Nov 29"]),
            (30, 86_400, ["Nov 2", "Nov 9", "Nov 16", "Nov 23"]),
        ],
    )
    def test_round_times_of_the_viewer(self, number: int, step: int, texts: list[str]) -> None:
        assert [text for _, text in labels(last(number, step), NOW, BERLIN)] == texts

    def test_where_they_are(self) -> None:
        starts = last(24, 3600)

        for index, text in labels(starts, NOW, BERLIN):
            at = datetime.fromtimestamp(starts[index], BERLIN)
            assert text == (f"{at:%b} {at.day}" if at.hour == 0 else f"{at:%H:%M}")

    def test_never_too_many(self) -> None:
        for number in (1, 2, 7, 90, 366, 2000):
            assert len(labels(last(number, 86_400), NOW, BERLIN)) <= MAX_LABELS

    def test_none(self) -> None:
        assert labels([], NOW, UTC) == []
        assert labels([NOW], NOW + 60, UTC) == [(0, "Nov 29")]


class TestPeriod:
    def test_part_of_a_day(self) -> None:
        assert period(NOW, NOW + 3600, BERLIN) == "Nov 29, 17:41–18:41"

    @pytest.mark.parametrize("hours", [23, 24, 25])
    def test_a_day(self, hours: int) -> None:
        day = int(datetime(2026, 11, 29, tzinfo=BERLIN).timestamp())

        assert period(day, day + int(timedelta(hours=hours).total_seconds()), BERLIN) == "Sun, Nov 29"

    def test_a_week(self) -> None:
        start = int(datetime(2026, 10, 26, tzinfo=BERLIN).timestamp())

        assert period(start, start + 7 * 86_400, BERLIN) == "Oct 26–Nov 1"

    def test_another_year_than_the_present_one(self) -> None:
        start = int(datetime(2025, 12, 31, 22, tzinfo=BERLIN).timestamp())

        assert period(start, start + 3600, BERLIN, NOW) == "Dec 31, 2025, 22:00–23:00"
        assert period(start, start + 3600, BERLIN, start) == "Dec 31, 22:00–23:00"
