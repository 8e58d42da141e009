from __future__ import annotations

from xml.etree import ElementTree

from app.admin.pages.sparks import bar, share, sparkline


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


class TestShare:
    def test_of_a_total(self) -> None:
        assert widths(share(25, 100)) == [("series-1", 0, 25)]
        assert widths(share(300, 100)) == [("series-1", 0, 100)]
        assert widths(share(None, 100)) == widths(share(1, 0)) == []


class TestSparkline:
    def test_from_zero_to_its_maximum(self) -> None:
        (path,) = ElementTree.fromstring(sparkline([0, 10, None, 5]))

        assert path.get("d") == "M5 20.00L15 0.00M35 10.00h.01"

    def test_nothing_to_draw(self) -> None:
        for points in ([], [0, None]):
            (path,) = ElementTree.fromstring(sparkline(points))
            assert path.get("d", "").startswith("M0 20H")
