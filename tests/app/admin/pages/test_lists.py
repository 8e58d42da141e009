from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, render_template_string

from app.admin.pages import lists
from app.admin.pages.layout import register_layout
from app.admin.pages.lists import (
    CursorLinks,
    Filter,
    Pages,
    Sort,
    active_filters,
    cursor_links,
    list_url,
    paginate,
    parse_sort,
)

STATE = Filter("state", "State", [("active", "in use"), ("paused", "paused")])
TEAM = Filter("team", "Team", ["research", "support"], free=True)


@pytest.fixture
def app() -> Flask:
    made = Flask("app.admin")
    register_layout(made)
    made.jinja_env.globals["csrf_field"] = lambda: ""
    return made


def drawn(app: Flask, address: str, source: str, **context: Any) -> str:
    with app.test_request_context(address):
        return render_template_string('{% import "lists.html" as lists %}' + source, **context)


class TestAddress:
    def test_a_change_of_filters_begins_at_the_first_page(self, app: Flask) -> None:
        with app.test_request_context("/keys?q=a%26b&page=3&cursor=7&sort=-cost"):
            assert list_url(state="active") == "/keys?q=a%26b&sort=-cost&state=active"
            assert list_url(page=4) == "/keys?q=a%26b&cursor=7&sort=-cost&page=4"
            assert list_url(q=None, sort="") == "/keys"
            assert list_url() == "/keys?q=a%26b&page=3&cursor=7&sort=-cost"

    def test_active_filters_lead_to_the_page_without_them(self, app: Flask) -> None:
        with app.test_request_context("/keys?state=paused&since=today&team=&span=7d"):
            chips = active_filters([STATE, TEAM], [("since", "From")])

        assert chips == [
            ("State", "paused", "/keys?since=today&team=&span=7d"),
            ("From", "today", "/keys?state=paused&team=&span=7d"),
        ]

    def test_a_long_value_is_shortened(self, app: Flask) -> None:
        with app.test_request_context("/keys?team=" + "x" * 500):
            (chip,) = active_filters([TEAM])

        assert chip.value == "x" * lists.MAX_CHIP


class TestCursorLinks:
    def test_the_address_has_the_newer_pages(self, app: Flask) -> None:
        with app.test_request_context("/requests?key=ann&cursor=7&trail=9,8"):
            links = cursor_links("6")

        assert links.newest == "/requests?key=ann"
        assert links.newer == "/requests?key=ann&cursor=8&trail=9"
        assert links.older == "/requests?key=ann&cursor=6&trail=9%2C8%2C7"

    def test_at_the_ends(self, app: Flask) -> None:
        with app.test_request_context("/requests?trail=9"):
            assert cursor_links(None) == CursorLinks("", "", "")
        with app.test_request_context("/requests?cursor=7"):
            assert cursor_links(None) == CursorLinks("/requests", "", "")

    def test_the_address_is_bounded(self, app: Flask) -> None:
        trail = ",".join(map(str, range(200)))
        with app.test_request_context(f"/requests?cursor=7&trail={trail}"):
            assert cursor_links("6").older.count("%2C") == lists.MAX_TRAIL - 1


class TestSort:
    @pytest.mark.parametrize(
        ("text", "column", "descending"),
        [("cost", "cost", False), ("-cost", "cost", True), (None, "name", False), ("--cost", "name", False)],
    )
    def test_from_the_address(self, text: str | None, column: str, descending: bool) -> None:
        assert parse_sort(text, ("name", "cost"), "name") == Sort(column, descending)

    def test_a_click_reverses_its_column(self) -> None:
        assert Sort("cost", True).next("cost") == "cost"
        assert Sort("cost", True).next("name") == "name"
        assert Sort("name").next("cost", descending_first=True) == "-cost"


class TestPages:
    def test_entries_of_a_page(self) -> None:
        entries, pages = paginate(range(120), "2")

        assert list(entries) == list(range(50, 100))
        assert (pages.first, pages.last, pages.count) == (51, 100, 3)

    @pytest.mark.parametrize(
        ("page", "shown"), [("99", 3), ("0", 1), ("-1", 1), ("²", 1), ("9" * 50, 1), (None, 1), ("x", 1)]
    )
    def test_out_of_range(self, page: str | None, shown: int) -> None:
        assert paginate(range(120), page)[1].page == shown

    def test_empty(self) -> None:
        entries, pages = paginate(range(0), "3")

        assert (len(entries), pages.first, pages.last, pages.count) == (0, 0, 0, 1)

    def test_links_to_near_pages(self) -> None:
        assert Pages(5, 500).near == [1, None, 4, 5, 6, None, 10]
        assert Pages(2, 500).near == [1, 2, 3, None, 10]
        assert Pages(1, 10).near == [1]


class TestTemplate:
    def test_the_toolbar_shows_what_is_set(self, app: Flask) -> None:
        html = drawn(
            app,
            "/keys?q=ann&state=paused&span=7d&page=2",
            '{{ lists.toolbar("Search keys", [state], more=[team], note="2 keys") }}',
            state=STATE,
            team=TEAM,
        )

        assert 'name="q" type="search" value="ann"' in html
        assert '<option value="paused" selected>' in html
        assert '<input type="hidden" name="span" value="7d">' in html
        assert 'name="page"' not in html
        assert '<option value="research">' in html
        assert 'href="/keys?q=ann&amp;span=7d"' in html

    def test_an_unknown_value_of_a_filter_is_shown(self, app: Flask) -> None:
        html = drawn(app, "/keys?state=%3Cb%3E", "{{ lists.toolbar(filters=[state]) }}", state=STATE)

        assert '<option value="&lt;b&gt;" selected>&lt;b&gt;</option>' in html

    def test_fields_of_the_page_in_the_menu(self, app: Flask) -> None:
        html = drawn(
            app,
            "/requests?since=2026-01-01",
            '{% call lists.toolbar(extra=[("since", "From")]) %}<input name="since">{% endcall %}',
        )

        assert '<input name="since">' in html
        assert '<input type="hidden" name="since"' not in html
        assert "From: 2026-01-01" in html

    def test_the_order_is_announced(self, app: Flask) -> None:
        source = (
            '{{ lists.sort_header("Name", "name", sort) }}'
            '{{ lists.sort_header("Cost", "cost", sort, number=true) }}'
        )
        html = drawn(app, "/keys?sort=-cost&page=4", source, sort=Sort("cost", True))

        assert html.count("aria-sort") == 1
        assert 'aria-sort="descending"><a class="sort" href="/keys?sort=cost">Cost' in html
        assert 'href="/keys?sort=name">Name' in html

    def test_the_pager(self, app: Flask) -> None:
        html = drawn(app, "/keys?q=a&page=2", '{{ lists.pager(pages, "keys") }}', pages=Pages(2, 120))

        assert "51–100 of 120 keys" in html
        assert 'href="/keys?q=a&amp;page=3" rel="next"' in html
        assert '<span aria-current="page">2</span>' in html

    def test_rows_are_changed_together(self, app: Flask) -> None:
        source = (
            '{{ lists.select_all("bulk") }}{{ lists.select_row("bulk", "ann", "key ann") }}'
            '{{ lists.bulk_bar("bulk", "/keys/bulk", [("off", "Off"), ("remove", "Remove", "danger")], '
            "pages) }}"
        )
        html = drawn(app, "/keys?q=a", source, pages=Pages(1, 9))

        assert 'value="ann" form="bulk" aria-label="Select key ann"' in html
        assert '<button name="do" value="remove" class="danger">Remove</button>' in html
        assert 'name="back" value="/keys?q=a"' in html
        assert '<label class="choice all" data-whole>' in html  # hidden by the script: one page has all rows
        assert "all 9 that match" in html
        assert "data-whole" not in drawn(app, "/keys?q=a", source, pages=Pages(1, 90))
