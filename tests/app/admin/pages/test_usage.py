"""The page Usage: chart, table, links, errors and CSV."""

from __future__ import annotations

import csv
import html
import io
import re
import time

import pytest

from app.wiring import Services
from tests.support.admin import Visitor
from tests.support.ledger_rows import record_request

PAGE = "/admin/p/default/usage"


@pytest.fixture
def key_ids(services: Services) -> dict[str, str]:
    """Three keys that used two models."""
    services.pools.ensure("default")
    ids = {name: services.api_keys.create("default", name)[0].id for name in ("ann", "bob", "@cmd")}
    for number, key_id in enumerate(ids.values()):
        for model in ("gpt-5", "o3"):
            record_request(
                services.scripts, "default", time.time(), key=key_id, model=model, cost=1000 * (number + 1)
            )
    return ids


def text(visitor: Visitor, query: str = "", status: int = 200) -> str:
    response = visitor.get(PAGE + query)
    assert response.status_code == status
    return str(response.get_data(as_text=True))


def test_lines_in_order(inside: Visitor, key_ids: dict[str, str]) -> None:
    """The chosen figure decides the order, unless one is given."""
    page = text(inside)
    assert page.index("keys/@cmd") < page.index("keys/bob") < page.index("keys/ann")

    page = text(inside, "?sort=name")
    assert page.index("keys/ann") < page.index("keys/bob")


@pytest.mark.parametrize(
    "query",
    [
        "?by=team",
        "?by=model&span=1h&metric=refusals",
        "?by=account&span=7d&metric=speed",
        "?by=endpoint&span=30d&metric=first_p50",
        "?by=all&span=90d&metric=total_p95",
        "?from=2026-01-01&to=2026-02-01",
        "?by=zzz&metric=zzz&sort=zzz&page=zzz&format=zzz&span=",
        "?key=ann&by=all",
        "?key=ann&by=model&span=1h",
        "?endpoint=/v1/responses&by=endpoint&metric=total_p50",
    ],
)
def test_choices(inside: Visitor, key_ids: dict[str, str], query: str) -> None:
    assert text(inside, query, 400 if "zzz" in query else 200)


def test_breakdown(inside: Visitor, key_ids: dict[str, str]) -> None:
    """One key by model; its rows lead to requests of that model."""
    page = text(inside, "?key=ann&by=model")

    assert "requests?model=gpt-5" in page
    assert 'href="/admin/p/default/usage?key=ann&amp;by=account"' in page
    assert "by=endpoint" not in page  # what is not stored is not offered


def test_one_endpoint(inside: Visitor, key_ids: dict[str, str]) -> None:
    page = text(inside, "?endpoint=/v1/responses")

    assert 'value="/v1/responses"' in page
    assert "by=key" not in page  # what is not stored is not offered
    assert ">6<" in page
    assert "No usage in this range." in text(inside, "?endpoint=/v1/embeddings")
    assert "requests?endpoint=%2Fv1%2Fresponses" in text(inside, "?by=endpoint")


@pytest.mark.parametrize(
    "chosen", ["key=ann", "model=o3", "account=acct_1", "team=red", "endpoint=%2Fv1%2Fresponses"]
)
def test_what_is_chosen_stays_in_every_link(inside: Visitor, key_ids: dict[str, str], chosen: str) -> None:
    """Links to other spans, figures and columns, and the download."""
    by = "by=endpoint" if "endpoint" in chosen else "by=all"
    page = html.unescape(text(inside, f"?{chosen}&{by}&span=7d&metric=tokens"))

    links = [link for link in re.findall(r'href="/admin/p/default/usage\?([^"#]*)', page) if "span=" in link]
    assert any("format=csv" in link for link in links)
    spans = [link for link in links if "span=7d" not in link]
    assert len(spans) == 4
    assert all(chosen in link and by in link and "metric=tokens" in link for link in spans)
    assert all("metric=" in link and by in link for link in links if "format=csv" in link)
    (download,) = [link for link in links if "format=csv" in link]
    assert inside.get(f"{PAGE}?{download}").mimetype == "text/csv"


def test_links_lead_on(inside: Visitor, key_ids: dict[str, str]) -> None:
    page = text(inside, "?span=7d")

    assert 'href="/admin/p/default/keys/ann"' in page
    assert "requests?key=ann" in page
    assert "usage?span=7d&amp;key=ann" in page


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?span=2h", "span must be one of"),
        ("?from=soon", "must be a date"),
        ("?from=2026-02-01&to=2026-01-01", "The end (to) must be after the start (from)"),
        ("?key=nobody", "There is no key named"),
        ("?team=red&by=key", "cannot be grouped by key"),
        (
            "?key=ann&endpoint=/v1/responses",
            "endpoint cannot be combined with key: usage is added up for each",
        ),
    ],
)
def test_errors_are_explained(inside: Visitor, key_ids: dict[str, str], query: str, message: str) -> None:
    assert message in text(inside, query, 400)


@pytest.mark.parametrize(
    ("query", "typed"),
    [
        ("?endpoint=/v1/responses&key=ann", ("/v1/responses", "ann")),
        ("?by=key&team=research", ("research",)),
        ("?from=soon&model=o3&format=csv", ("soon", "o3")),
    ],
)
def test_a_refused_selection_has_no_figures(
    inside: Visitor, key_ids: dict[str, str], query: str, typed: tuple[str, ...]
) -> None:
    """Figures of the pool could be taken for those of the filters, which stay in the form."""
    page = text(inside, query, 400)

    assert not [part for part in ("<table", "<figure", "Usage by", "CSV</a>", "$") if part in page]
    assert [f'value="{one}"' for one in typed if f'value="{one}"' not in page] == []
    assert "format" not in page.partition('<form class="toolbar"')[2].partition("</form>")[0]


def test_csv(inside: Visitor, key_ids: dict[str, str]) -> None:
    """Exact numbers, and no name that a spreadsheet takes for a formula."""
    response = inside.get(PAGE + "?by=key&format=csv")

    assert response.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(response.get_data(as_text=True))))
    assert {row["key"]: row["cost"] for row in rows} == {"ann": "2000", "bob": "4000", "'@cmd": "6000"}


def test_unprepared_days_are_named(inside: Visitor, services: Services, key_ids: dict[str, str]) -> None:
    for back in range(1, 12):
        record_request(services.scripts, "default", time.time() - back * 86400, key=key_ids["ann"])

    assert "hours or days are missing" in text(inside, "?span=30d&by=model&key=ann")


def test_nothing(inside: Visitor, services: Services) -> None:
    services.pools.ensure("default")

    assert "No usage in this range." in text(inside)


def test_a_chart_of_times_has_the_lines_with_the_most_requests(
    inside: Visitor, services: Services, key_ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the column Requests has them, so tries at later models do not count."""
    monkeypatch.setattr("app.admin.pages.usage.CHARTED", 1)
    for _ in range(3):
        record_request(services.scripts, "default", time.time(), key=key_ids["ann"], fallbacks=1)
    record_request(services.scripts, "default", time.time(), key=key_ids["bob"])

    chart = re.search(r"<figure.*?</figure>", text(inside, "?metric=total_p95"), re.DOTALL)

    assert chart
    assert "bob" in chart[0]
    assert "ann" not in chart[0]
