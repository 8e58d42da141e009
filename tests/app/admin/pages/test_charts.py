from __future__ import annotations

from xml.etree import ElementTree

import pytest

from app.admin.pages.charts import Chart, Series, bar, nice_top


def chart(*series: Series, title: str = "Requests") -> Chart:
    return Chart("c", title, [0, 3600, 7200], series, lambda number: f"{number:g}")


def drawn(one: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(one.svg())


class TestChart:
    def test_columns_stand_on_each_other(self) -> None:
        """The first series stands on the ground, the next on it; the highest column reaches the top."""
        root = drawn(chart(Series("fine", "series-1", [1, 0, 6]), Series("bad", "series-bad", [1, None, 4])))

        columns = [
            (one.get("class"), float(one.attrib["y"]), float(one.attrib["height"]))
            for one in root.iter("rect")
        ]
        assert columns == [
            ("series-1", 90, 10),
            ("series-bad", 80, 10),
            ("series-1", 40, 60),
            ("series-bad", 0, 40),
        ]

    def test_a_text_alternative_for_screen_readers(self) -> None:
        root = drawn(chart(Series("fine", "series-1", [1, 0, 6])))

        title, desc = root.find("title"), root.find("desc")
        assert title is not None
        assert desc is not None
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        assert (title.text, desc.text) == (
            "Requests",
            "3 columns; fine at most 6. The table below has every number.",
        )

    def test_nothing_to_draw(self) -> None:
        one = chart(Series("fine", "series-1", [0, None, 0]))

        assert one.empty
        assert list(drawn(one).iter("rect")) == []

    def test_no_points_at_all(self) -> None:
        one = Chart("c", "Requests", [], [Series("fine", "series-1", [])])

        assert one.empty
        ElementTree.fromstring(one.svg())

    def test_the_table_has_the_same_numbers(self) -> None:
        """Newest first, as in every table here."""
        one = chart(Series("fine", "series-1", [1, 2, 6]), Series("bad", "series-bad", [0, 0, 4]))

        assert one.rows() == [(7200, ["6", "4"]), (3600, ["2", "0"]), (0, ["1", "0"])]

    def test_words_are_escaped(self) -> None:
        svg = chart(Series("<b>", "series-1", [1, 1, 1]), title="<script>").svg()

        assert "<script>" not in svg
        assert "<b>" not in svg


class TestBar:
    def test_settled_then_held(self) -> None:
        assert widths(bar(50, 25, 100)) == [("settled", 0, 50), ("held", 50, 25)]

    def test_it_never_leaves_its_frame(self) -> None:
        assert widths(bar(90, 50, 100)) == [("settled", 0, 90), ("held", 90, 10)]
        assert widths(bar(300, 5, 100)) == [("full", 0, 100)]

    def test_empty(self) -> None:
        assert widths(bar(0, 0, 100)) == []
        assert widths(bar(0, 0, 0)) == []


def widths(svg: str) -> list[tuple[str | None, float, float]]:
    return [
        (one.get("class"), float(one.attrib["x"]), float(one.attrib["width"]))
        for one in ElementTree.fromstring(svg).iter("rect")
    ]


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 1), (-3, 1), (1, 1), (7, 8), (10, 10), (101, 150), (0.003, 0.003), (2.9, 3), (1e12, 1e12)],
)
def test_nice_top(most: float, top: float) -> None:
    assert nice_top(most) == pytest.approx(top)
