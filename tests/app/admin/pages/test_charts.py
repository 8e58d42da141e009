from __future__ import annotations

from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from app.admin.pages.charts import Chart, Series, Shape, nice_scale


def chart(*series: Series, title: str = "Requests") -> Chart:
    return Chart("c", title, [0, 3600, 7200], series, shown, until=10800)


def shown(number: float | None) -> str:
    return "–" if number is None else f"{number:g}"


def columns(root: ElementTree.Element) -> dict[str, str]:
    """Return the path of the columns of each series by its CSS class."""
    paths = {one.get("class", ""): one.get("d", "") for one in root.iter("path")}
    return {shade: path for shade, path in paths.items() if shade.startswith("series")}


def drawn(one: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(one.svg())


class TestChart:
    def test_columns_stand_on_each_other(self) -> None:
        """The first series stands on the ground, the next on it; the highest column reaches the top."""
        root = drawn(chart(Series("fine", "series-1", [1, 0, 6]), Series("bad", "series-bad", [1, None, 4])))

        assert columns(root) == {
            "series-1": "M1 90.00h8v10.00H1zM21 40.00h8v60.00H21z",
            "series-bad": "M1 80.00h8v10.00H1zM21 0.00h8v40.00H21z",
        }

    def test_a_text_alternative_for_screen_readers(self) -> None:
        root = drawn(chart(Series("fine", "series-1", [1, 0, 6])))

        title, desc = root.find("title"), root.find("desc")
        assert title is not None
        assert desc is not None
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        assert (title.text, desc.text) == (
            "Requests",
            "3 points; fine at most 6. The table below has every number.",
        )

    def test_lines_have_gaps_where_values_are_unknown(self) -> None:
        series = (Series("p50", "series-1", [5, 10, None]), Series("p95", "series-2", [10, None, 20]))
        root = drawn(Chart("c", "First token", [0, 3600, 7200], series, shown, 10800, Shape.LINES))

        lines = [
            (one.get("class"), one.get("d")) for one in root.iter("path") if "line" in one.get("class", "")
        ]
        assert lines == [
            ("line series-1", "M5 75.00L15 50.00"),
            ("line series-2", "M5 50.00h.01M25 0.00h.01"),
            ("line dot series-2", "M5 50.00h.01M25 0.00h.01"),
        ]

    def test_both_axes_have_labels(self) -> None:
        one = chart(Series("fine", "series-1", [1, 0, 6]))

        assert one.axis() == ["6", "4", "2", "0"]
        labels = [(text.text, text.get("x")) for text in drawn(one).iter("text")]
        assert labels == [("Jan 1", "16.67%"), ("01:00", "50.00%"), ("02:00", "83.33%")]

    def test_nothing_to_draw(self) -> None:
        one = chart(Series("fine", "series-1", [0, None, 0]))

        assert one.empty
        assert columns(drawn(one)) == {}

    def test_no_points_at_all(self) -> None:
        one = Chart("c", "Requests", [], [Series("fine", "series-1", [])])

        assert one.empty
        ElementTree.fromstring(one.svg())

    def test_the_table_has_the_same_numbers(self) -> None:
        """Newest first, as in every table here, in the time zone of the viewer."""
        series = (Series("fine", "series-1", [1, 0, 6]), Series("bad", "series-bad", [0, None, 4]))
        one = Chart("c", "R", [0, 3600, 7200], series, shown, until=10800, zone=ZoneInfo("Asia/Tokyo"))

        assert one.rows() == [
            ("Jan 1, 11:00–12:00", ["6", "4"]),
            ("Jan 1, 10:00–11:00", ["0", "–"]),
            ("Jan 1, 09:00–10:00", ["1", "0"]),
        ]

    def test_words_are_escaped(self) -> None:
        svg = chart(Series("<b>", "series-1", [1, 1, 1]), title="<script>").svg()

        assert "<script>" not in svg
        assert "<b>" not in svg


@pytest.mark.parametrize(
    ("most", "integers", "scale"),
    [
        (0, False, [1, 0]),
        (-3, False, [1, 0]),
        (1, True, [1, 0]),
        (3, True, [3, 2, 1, 0]),
        (7, True, [8, 6, 4, 2, 0]),
        (10, True, [10, 5, 0]),
        (10, False, [10, 7.5, 5, 2.5, 0]),
        (101, True, [150, 100, 50, 0]),
        (0.003, False, [0.003, 0.002, 0.001, 0]),
        (1e12, False, [1e12, 7.5e11, 5e11, 2.5e11, 0]),
    ],
)
def test_nice_scale(most: float, integers: bool, scale: list[float]) -> None:
    assert nice_scale(most, integers=integers) == pytest.approx(scale)
