"""Searching requests, and explaining one."""

from __future__ import annotations

import csv
import html
import io
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from app.admin.pages import requests
from app.admin.pages.clock import COOKIE
from app.stores import keys
from app.stores.records.refusals import RefusedRequest
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor

HOME = f"/admin/p/{POOL}/requests"
MARKUP = "<script>alert(1)</script>"


class LedgerRows:
    """Ledger rows of two keys at two accounts."""

    def __init__(self, services: Services, pool: Furnished) -> None:
        self._client = services.scripts.client
        self.accounts = {name: pool.account(name).id for name in ("main", "spare")}
        for name in ("ann", "bob"):
            pool.key(name)
        self.keys = {name: services.api_keys.find(POOL, name).id for name in ("ann", "bob")}

    def row(self, request_id: str, *, at: float = 1_795_000_000, **more: Any) -> str:
        row = {
            "id": request_id,
            "at_ms": int(at * 1000),
            "key": self.keys["ann"],
            "account": self.accounts["main"],
            "model": "gpt-5",
            "endpoint": "/v1/responses",
            "status": 200,
            "source": "upstream",
            **more,
        }
        entry_id: str = self._client.xadd(
            keys.ledger(POOL), {"row": orjson.dumps(row), "why": "[]"}, id=f"{int(at * 1000)}-*"
        )
        return entry_id


@pytest.fixture
def rows(services: Services, pool: Furnished) -> LedgerRows:
    return LedgerRows(services, pool)


def found(page: str) -> list[str]:
    return [part.partition('"')[0] for part in page.split('<tr id="row-')[1:]]


def linked(page: str, text: str) -> str:
    """Return the address of the link *text*."""
    return html.unescape(page.partition(f">{text}</a>")[0].rpartition('href="')[2].partition('"')[0])


def set_route(inside: Visitor, name: str) -> None:
    form = {"name": name, "target_1_model": "gpt-5"}
    assert inside.send(f"/admin/p/{POOL}/settings/models", form).status_code == 303


def suggested(page: str, name: str) -> list[str]:
    options = page.partition(f'<datalist id="filter-{name}-options">')[2].partition("</datalist>")[0]
    return [part.partition('"')[0] for part in options.split('value="')[1:]]


class TestSearch:
    def test_newest_first(self, inside: Visitor, rows: LedgerRows) -> None:
        for number in range(3):
            rows.row(f"r{number}", at=1_795_000_000 + number)

        page = inside.get(HOME).text

        assert found(page) == ["r2", "r1", "r0"]
        assert "data-live-rows" in page

    def test_by_each_field(self, inside: Visitor, rows: LedgerRows) -> None:
        rows.row("r0")
        rows.row("r1", key=rows.keys["bob"], status=502, error="upstream_error")
        rows.row("r2", account=rows.accounts["spare"], model="o3", status=429)

        attempts = [{"account": rows.accounts["spare"]}, {"account": rows.accounts["main"]}]
        rows.row("r3", status=503, owner="Ann <a@b>", labels={"env": "prod"}, attempts=attempts)
        rows.row("r4", endpoint="/v1/embeddings", asked="alias", total_ms=1500, cost=2_000_000)

        for query, ids in {
            "owner=Ann+<a@b>": ["r3"],
            "labels=env": ["r3"],
            "labels=env%3Dprod&owner=Ann+<a@b>": ["r3"],
            "labels=env%3Dtest": [],
            "key=bob": ["r1"],
            "account=spare": ["r2"],
            "model=o3": ["r2"],
            "status=failed": ["r3", "r2", "r1"],
            "status=5xx": ["r3", "r1"],
            "status=ok&key=ann": ["r4", "r0"],
            "model=o3&key=bob": [],
            "status=429,502": ["r2", "r1"],
            "tried=spare": ["r3", "r2"],
            "retried=true": ["r3"],
            "error=upstream_error": ["r1"],
            "endpoint=/v1/embeddings": ["r4"],
            "requested=alias": ["r4"],
            "min_seconds=1.5": ["r4"],
            "min_seconds=1.6": [],
            "min_dollars=2": ["r4"],
            "cached=true": [],
        }.items():
            page = inside.get(f"{HOME}?{query}").text
            assert found(page) == ids, query
            assert 'class="chip"' in page

    def test_by_time_in_the_zone_of_the_viewer(self, inside: Visitor, rows: LedgerRows) -> None:
        inside.client.set_cookie(COOKIE, "Asia/Tokyo", domain="gate.test")
        for hour in (1, 2, 3):
            rows.row(f"r{hour}", at=datetime(2026, 11, 1, hour, 30, tzinfo=UTC).timestamp())

        page = inside.get(f"{HOME}?since=2026-11-01T11:00&until=2026-11-01T12:00").text

        assert found(page) == ["r2"]
        assert "Asia/Tokyo" in page

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("key", "nobody"),
            ("account", "<x>"),
            ("since", "soon"),
            ("status", "7"),
            ("until", "9999"),
            ("labels", "a b"),
            ("tried", "nobody"),
            ("min_seconds", "x"),
            ("min_dollars", "-1"),
            ("min_seconds", "nan"),
        ],
    )
    def test_what_cannot_be_searched_for(
        self, inside: Visitor, rows: LedgerRows, field: str, value: str
    ) -> None:
        response = inside.get(f"{HOME}?{field}={value}")

        assert response.status_code == 400
        assert f'id="{field}-error"' in response.text
        assert found(response.text) == []

    def test_live_rows_respect_the_filters(self, inside: Visitor, rows: LedgerRows) -> None:
        """The stream of a search has its filters; pages that no new request can be on have no stream."""
        rows.row("r0")

        page = inside.get(f"{HOME}?key=ann&status=ok").text
        stream = page.partition('data-live="')[2].partition('"')[0]
        assert "key=ann" in stream
        assert "status=ok" in stream
        for query in ("until=2026-11-01", "refused=true", "cursor=1795000000000-0", "status=7"):
            assert "data-live-rows" not in inside.get(f"{HOME}?{query}").text

    def test_cells_lead_to_filters(self, inside: Visitor, rows: LedgerRows) -> None:
        """They are added to those that are active; a removed key is found by its id."""
        rows.row("r0", status=502, error="upstream_error", key="key_gone")

        page = inside.get(f"{HOME}?model=gpt-5").text
        values = {"status": "502", "error": "upstream_error", "key": "key_gone", "account": "main"}
        for name, value in values.items():
            assert f"?model=gpt-5&amp;{name}={value}" in page
            assert found(inside.get(f"{HOME}?model=gpt-5&{name}={value}").text) == ["r0"]

    def test_suggestions(
        self, inside: Visitor, services: Services, rows: LedgerRows, pool: Furnished
    ) -> None:
        """Models that accounts list, model routes and teams of the pool."""
        pool.account("third", models=("gpt-5", "o*"))
        set_route(inside, "fast")
        services.teams.create(POOL, "research")

        page = inside.get(HOME).text

        assert suggested(page, "model") == ["gpt-5"]
        assert suggested(page, "requested") == ["fast", "gpt-5"]
        assert suggested(page, "team") == ["research"]

    def test_a_broken_cursor(self, inside: Visitor, rows: LedgerRows) -> None:
        assert inside.get(f"{HOME}?cursor=x").status_code == 400

    def test_page_by_page(self, inside: Visitor, rows: LedgerRows) -> None:
        for number in range(60):
            rows.row(f"r{number}", at=1_795_000_000 + number)

        first = inside.get(HOME).text
        second = inside.get(linked(first, "Older")).text

        assert found(first) + found(second) == [f"r{number}" for number in reversed(range(60))]
        assert ("Latest requests" in first, "Older requests" in second) == (True, True)

    def test_back_to_newer_pages(self, inside: Visitor, rows: LedgerRows) -> None:
        """Each page leads to the one before it; a change of the filters begins at the newest."""
        for number in range(160):
            rows.row(f"r{number}", at=1_795_000_000 + number)

        pages = [inside.get(f"{HOME}?key=ann").text]
        while 'rel="next"' in pages[-1]:
            pages.append(inside.get(linked(pages[-1], "Older")).text)

        assert [len(found(page)) for page in pages] == [50, 50, 50, 10]
        assert found(inside.get(linked(pages[3], "Newer")).text) == found(pages[2])
        third = inside.get(linked(pages[3], "Newer")).text
        assert found(inside.get(linked(third, "Newer")).text) == found(pages[1])
        assert found(inside.get(linked(third, "Newest")).text) == found(pages[0])
        assert "trail" not in third.partition('class="chip"')[2].partition(">")[0]
        assert ">Newer" not in pages[0] + pages[1]

    def test_stored_markup_stays_text(self, inside: Visitor, rows: LedgerRows) -> None:
        rows.row("r0", model=MARKUP, error=MARKUP, status=502)

        for path in (HOME, f"{HOME}/r0", f"/admin/p/{POOL}/accounts", f"/admin/p/{POOL}/accounts/main"):
            page = inside.get(path).text
            assert MARKUP not in page
            assert "&lt;script&gt;alert(1)" in page or path.endswith("accounts")


def test_a_model_that_failed_links_to_the_next(inside: Visitor, rows: LedgerRows, services: Services) -> None:
    for request_id, status in (("req_1", 500), ("req_1-1", 200)):
        entry_id = rows.row(request_id, status=status)
        services.scripts.client.set(keys.settled(POOL, request_id), entry_id)

    page = inside.get(f"{HOME}/req_1").text

    assert "It failed at this model with status 500" in page
    assert linked(page, "Show the next one") == f"{HOME}/req_1-1"
    assert linked(inside.get(f"{HOME}/req_1-1").text, "Show the one before") == f"{HOME}/req_1"


def test_a_later_model_answered(inside: Visitor, rows: LedgerRows, services: Services) -> None:
    """The failure is no alarm: its row leads to the answer, in lists, on its page and in downloads."""
    failure = {"status": 502, "error": "server_error", "models": 2}
    for request_id, row in (("req_1", failure), ("req_1-1", {"model": "o3", "fallback_of": "req_1"})):
        entry_id = rows.row(request_id, **row)
        services.scripts.client.set(keys.settled(POOL, request_id), entry_id)

    for path in (HOME, f"{HOME}?status=failed"):
        page = inside.get(path).text
        assert '<span class="state off">502</span>' in page
        assert f'then answered by <a href="{HOME}/req_1-1?entry={entry_id}">o3</a>' in page
    assert f'then answered by <a href="{HOME}/req_1-1">o3</a>' in inside.get(f"{HOME}/req_1").text
    assert (
        f'then answered by <a href="{HOME}/req_1-1?entry={entry_id}">o3</a>'
        in inside.get(f"/admin/p/{POOL}/keys/ann").text
    )
    assert "server_error, then answered by o3" in inside.get(f"/admin/p/{POOL}/accounts/main").text
    (line,) = csv.DictReader(io.StringIO(inside.get(f"{HOME}/export?status=failed").text))
    assert (line["status"], line["answered_by"]) == ("502", "req_1-1")
    json_line = orjson.loads(inside.get(f"{HOME}/export?status=failed&format=jsonl").text)
    assert json_line["answered_by"] == {"id": "req_1-1", "model": "o3"}


def test_an_upstream_error_without_a_code(inside: Visitor, rows: LedgerRows) -> None:
    """Its type is shown, else the name of the status."""
    attempt = {"account": rows.accounts["main"], "failure": "caller", "error": None, "upstream_status": 400}
    rows.row("r1", status=400, attempts=[{**attempt, "upstream_code": "invalid_request_error"}])
    rows.row("r2", status=400, attempts=[attempt])

    page = inside.get(HOME).text

    assert '<span class="small muted">invalid_<wbr>request_<wbr>error</span>' in page
    assert '<span class="small muted">Bad Request</span>' in page
    assert "status 400 (invalid_request_error)" in inside.get(f"{HOME}/r1").text
    assert "status 400 (Bad Request)" in inside.get(f"{HOME}/r2").text


class TestExport:
    def test_csv(self, inside: Visitor, rows: LedgerRows) -> None:
        """What matches, with exact numbers; no text is taken for a formula."""
        rows.row("r0", key=rows.keys["bob"])
        rows.row("r1", cost=1_234_567, owner="=HYPERLINK(1)", labels={"env": "prod"}, status=502)

        response = inside.get(f"{HOME}/export?format=csv&key=ann")
        (line,) = csv.DictReader(io.StringIO(response.text))

        assert response.headers["Content-Disposition"] == 'attachment; filename="requests-default.csv"'
        assert line["id"] == "r1"
        assert line["ended_at"] == "2026-11-18T11:06:40.000+00:00"
        assert (line["cost_dollars"], line["owner"]) == ("1.234567", "'=HYPERLINK(1)")
        assert (line["key"], line["account"], line["labels"]) == ("ann", "main", "env=prod")

    def test_json_lines(self, inside: Visitor, rows: LedgerRows, monkeypatch: pytest.MonkeyPatch) -> None:
        """All pages up to the maximum, the newest first."""
        monkeypatch.setattr(requests, "EXPORT_PAGE", 2)
        monkeypatch.setattr(requests, "MAX_EXPORTED", 5)
        for number in range(7):
            rows.row(f"r{number}", at=1_795_000_000 + number)

        response = inside.get(f"{HOME}/export?format=jsonl")

        lines = [orjson.loads(line) for line in response.text.splitlines()]
        assert [line["id"] for line in lines] == ["r6", "r5", "r4", "r3", "r2"]
        assert lines[0]["key"]["name"] == "ann"

    def test_filters_that_do_not_fit(self, inside: Visitor, rows: LedgerRows) -> None:
        """The list explains them."""
        assert inside.get(f"{HOME}/export?key=nobody").location == f"{HOME}?key=nobody"


class TestOne:
    def test_where_its_position_is_known(self, inside: Visitor, rows: LedgerRows) -> None:
        entry_id = rows.row("r0", input_tokens=1234, output_tokens=5, cost=1_500_000, first_ms=300)

        page = inside.get(f"{HOME}/r0?entry={entry_id}").text

        assert "1,234 in" in page
        assert "$1.50" in page
        assert inside.get(f"{HOME}/r1?entry={entry_id}").status_code == 404

    def test_found_by_its_id(self, inside: Visitor, rows: LedgerRows) -> None:
        rows.row("r0")

        assert inside.get(f"{HOME}/find?id=+r0+").location == f"{HOME}/r0"
        assert inside.get(f"{HOME}/r0").status_code == 200
        assert inside.get(f"{HOME}/find?id=").status_code == 302

    def test_how_long_it_waited(self, inside: Visitor, rows: LedgerRows) -> None:
        rows.row("r-1", queued_ms=3240)
        rows.row("r-2")

        assert "<dt>Waited for an account</dt><dd>3" in inside.get(f"{HOME}/r-1").text
        assert "Waited for an account" not in inside.get(f"{HOME}/r-2").text

    @pytest.mark.parametrize(("error", "documented"), [("lease_expired", True), ("upstream_said_no", False)])
    def test_its_error_is_explained(
        self, inside: Visitor, rows: LedgerRows, error: str, documented: bool
    ) -> None:
        rows.row("r-1", status=502, error=error)

        assert (f'href="/docs/errors#{error}"' in inside.get(f"{HOME}/r-1").text) is documented

    def test_its_model_route(self, inside: Visitor, rows: LedgerRows) -> None:
        """The one that applies now; where it was removed, there is no link."""
        rows.row("r0", asked="fast-2")
        rows.row("r1")
        route = f'href="/admin/p/{POOL}/settings/models?name=fast-*"'
        assert "Model route" not in inside.get(f"{HOME}/r0").text

        set_route(inside, "fast-*")

        assert route in inside.get(f"{HOME}/r0").text
        assert "Model route" not in inside.get(f"{HOME}/r1").text

    def test_nothing_of_that_id(self, inside: Visitor, rows: LedgerRows) -> None:
        response = inside.get(f"{HOME}/{MARKUP.replace('/', '')}")

        assert response.status_code == 404
        assert "<script>alert" not in response.text


class TestRefused:
    @pytest.fixture
    def refused(self, services: Services, rows: LedgerRows) -> str:
        services.ledger.refusal_log.add(
            RefusedRequest(
                "req_no",
                round(time.time() * 1000),
                "gpt-5",
                "/v1/responses",
                429,
                "rate_limit_exceeded",
                f"No {MARKUP}",
                pool=POOL,
                key=rows.keys["ann"],
            )
        )
        services.ledger.refusal_log.flush()
        return "req_no"

    def test_listed(self, inside: Visitor, rows: LedgerRows, refused: str) -> None:
        """Among all requests, by status, by key, and on their own."""
        rows.row("r0", status=502)

        assert set(found(inside.get(HOME).text)) == {"r0", refused}
        for query in ("refused=true", "status=429", "refused=true&key=ann"):
            page = inside.get(f"{HOME}?{query}").text
            assert (found(page), MARKUP in page) == ([refused], False)
            assert ("Not all refused requests are listed" in page) == ("refused=true" in query)
        assert found(inside.get(f"{HOME}?refused=true&key=bob").text) == []

    def test_explained(self, inside: Visitor, refused: str) -> None:
        page = inside.get(f"{HOME}/{refused}").text

        assert "It was refused; the caller received status 429 (rate_limit_exceeded): No" in page
        assert MARKUP not in page

    @pytest.mark.parametrize(("what", "used"), [("requests", "5 used"), ("cost", "$0.000005 used")])
    def test_explained_by_a_limit(
        self, inside: Visitor, services: Services, rows: LedgerRows, what: str, used: str
    ) -> None:
        limit = {"name": "5 requests per day", "what": what, "settled": 5, "held": 0, "amount": 1}
        code = "rate_limit_exceeded"
        services.ledger.refusal_log.add(
            RefusedRequest(
                *("req_no", 1_795_000_000_000, "gpt-5", "/v1/responses", 429, code, "Used up"),
                pool=POOL,
                key=rows.keys["ann"],
                admission={"limit": limit},
            )
        )
        services.ledger.refusal_log.flush()

        assert f"5 requests per day: {used}" in inside.get(f"{HOME}/req_no").text

    def test_without_an_id_the_search_leads_to_the_list(self, inside: Visitor, rows: LedgerRows) -> None:
        assert inside.get(f"{HOME}/find?id=+").location == HOME
        assert inside.get(f"{HOME}/find?id=req_no").location == f"{HOME}/req_no"

    def test_counted(self, inside: Visitor, refused: str) -> None:
        """On the overview and on the page of its key, with a link to them."""
        for path, query in (("", "refused=true"), ("/keys/ann", "refused=true&amp;key=ann")):
            page = inside.get(f"/admin/p/{POOL}{path or '/'}").text
            assert "1 rate limit exceeded" in page
            assert query in page or "key=ann&amp;refused=true" in page
        assert "rate limit exceeded" not in inside.get(f"/admin/p/{POOL}/keys/bob").text
