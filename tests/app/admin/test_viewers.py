"""What a viewer finds on the pages: nothing that changes the pool, and no link to a page that is refused."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from app.accounts.account import Account
from app.limits.limit_syntax import parse_limit
from app.stores import keys
from app.stores.records.operators import Role
from app.wiring import Services
from tests.browser.pages import PAGES
from tests.support.admin import PASSWORD, Visitor
from tests.support.ledger_rows import record_request

POOL = "default"
OWN_FORMS = ("/admin/sign-out", "/admin/security/")  # the sign-in of the viewer


class Controls(HTMLParser):
    """The addresses on a page: those of its links and searches, and those that its forms post to."""

    def __init__(self, path: str, page: str) -> None:
        super().__init__()
        self.read: set[str] = set()
        self.posted: set[str] = set()
        self._path = path
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self._add(self.read, given["href"])
        if tag == "form":
            posts = (given.get("method") or "get").lower() == "post"
            self._add(self.posted if posts else self.read, given.get("action"))
        if tag in ("button", "input") and given.get("formaction"):
            self._add(self.posted, given["formaction"])

    def _add(self, addresses: set[str], href: str | None) -> None:
        target = urlsplit(urljoin(self._path, href or ""))
        if not target.netloc and target.path.startswith("/admin"):
            addresses.add(target._replace(fragment="").geturl())


@pytest.fixture
def vera(app, services: Services) -> Visitor:
    """A viewer who is signed in."""
    services.operator_stores.operators.create("vera", PASSWORD, Role.VIEWER)
    visitor = Visitor(app)
    visitor.sign_in("vera")
    return visitor


@pytest.fixture
def furnished(services: Services) -> str:
    """Put something on every page; return the id of a request."""
    services.pools.ensure(POOL)
    accounts = services.accounts
    main = accounts.add(POOL, Account("", "main", "compatible", "http://127.0.0.1:9/v1", credential="sk-1"))
    spare = accounts.add(POOL, Account("", "spare", "openai", "http://127.0.0.1:9/v1", credential="sk-2"))
    accounts.pause(POOL, "spare")
    accounts.observe(POOL, spare.id, {}, outcome={"windows": [[100, 9_000_000_000_000, 18_000]]})
    services.teams.create(POOL, "research", (parse_limit("500 usd/month balanced"),), ("50 usd/month",))
    services.api_keys.create(POOL, "ann", team="research", limits=(parse_limit("2 requests/day"),))
    services.api_keys.create(POOL, "old", expires_at=1_000_000_000)
    key = services.api_keys.find(POOL, "ann")
    limit = services.limits.add(POOL, parse_limit("5 requests/ever"))
    services.scripts.client.hset(keys.limit(POOL, limit.id), mapping={"b": 0, "s": 2})
    row = {"id": "r0", "account": main.id, "key": key.id, "cost": 900_000}
    record_request(services.scripts, POOL, services.clock.now() - 1, **row)
    return "r0"


def pages(request_id: str) -> Iterator[str]:
    """Yield the address of every page."""
    for path in PAGES.values():
        filled = path.replace("ID", request_id)
        yield filled if filled.startswith("/admin") else f"/admin/p/{POOL}{filled}"


def refused(visitor: Visitor, paths: set[str]) -> list[str]:
    """Return those of *paths* that the role of *visitor* does not include."""
    return sorted(path for path in paths if visitor.get(path).status_code == 403)


class TestPagesOfAViewer:
    def test_every_page(self, vera: Visitor, furnished: str) -> None:
        opened, linked = 0, set[str]()
        for path in pages(furnished):
            response = vera.get(path)
            if response.status_code == 403:
                continue
            opened += 1
            controls = Controls(path, response.text)
            posted = [one for one in controls.posted if not one.startswith(OWN_FORMS)]
            assert posted == [], path
            assert refused(vera, controls.read - linked) == [], path
            linked |= controls.read
        assert "The pool <span" in vera.get(f"/admin/p/{POOL}/").text
        assert opened > 20
        assert len(linked) > 40

    def test_an_empty_pool(self, vera: Visitor, services: Services) -> None:
        """What is missing is for others to add."""
        services.pools.ensure(POOL)
        for path in ("/", "/usage", "/accounts", "/keys", "/teams", "/requests", "/playground", "/settings"):
            page = vera.get(f"/admin/p/{POOL}{path}").text
            controls = Controls(path, page)
            assert [one for one in controls.posted if not one.startswith(OWN_FORMS)] == [], path
            assert refused(vera, controls.read) == [], path

    def test_settings_are_shown_but_not_changed(self, vera: Visitor, services: Services) -> None:
        services.pools.ensure(POOL)
        for name, value in (("routing", 'value="UTC"'), ("time-limits", 'name="idle"')):
            page = vera.get(f"/admin/p/{POOL}/settings/{name}").text
            fields = page.partition('<fieldset class="form card" disabled>')[2].rpartition("</fieldset>")[0]
            assert value in fields
            assert "Save" not in page
