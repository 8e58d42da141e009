"""The addresses of the guide, for browsers without scripts."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.docs.guide import pages
from tests.support.api import FakeServices


def client(admin: str = "on") -> FlaskClient:
    services = FakeServices()
    services.settings = replace(services.settings, admin=admin)
    return create_app(services).test_client()  # type: ignore[arg-type]


def test_every_page_is_served() -> None:
    contents = client().get("/docs")

    assert contents.status_code == 200
    for name, page in pages("/docs").items():
        assert f'href="/docs/{name}"' in contents.text
        shown = client().get(f"/docs/{name}")
        assert shown.status_code == 200
        assert page.html in shown.text
        assert "default-src 'none'" in shown.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/docs/", "/docs/keys/", "/docs/api/"])
def test_a_slash_at_the_end(path: str) -> None:
    assert client().get(path).status_code == 200


@pytest.mark.parametrize("name", ["nothing", "..%2f..%2fsetup", "keys.md", "guide.py", "x" * 5000])
def test_unknown_page(name: str) -> None:
    response = client().get(f"/docs/{name}")

    assert response.status_code == 404
    assert response.json is not None
    assert response.json["error"]["code"] == "not_found"


def test_search() -> None:
    found = client().get("/docs/search", query_string={"q": "idempotency-key"}).text

    assert 'href="/docs/reliability#repeats-of-a-request"' in found
    assert "<mark>Idempotency-Key</mark>" in found


def test_the_query_is_shown_as_text() -> None:
    found = client().get("/docs/search", query_string={"q": '<script>"' + "x" * 500}).text

    assert "<script>" not in found
    assert "&lt;script&gt;" in found
    assert "x" * 100 not in found


@pytest.mark.parametrize(
    ("admin", "target", "text"),
    [
        ("on", "/admin/", 'href="/admin/"'),
        ("off", "/docs", "has no operator pages"),
        ("127.0.0.1:9000", "http://localhost:9000/admin/", 'href="http://localhost:9000/admin/"'),
        ("192.0.2.1:9000", "http://192.0.2.1:9000/admin/", 'href="http://192.0.2.1:9000/admin/"'),
    ],
)
def test_a_browser_finds_the_pages(admin: str, target: str, text: str) -> None:
    """The guide links to them, and explains where they are not."""
    port = FakeServices().settings.port
    from_browser = {"base_url": f"http://localhost:{port}", "headers": {"Accept": "text/html,*/*;q=0.8"}}
    response = client(admin).get("/", **from_browser)

    assert (response.status_code, response.headers["Location"]) == (302, target)
    assert text in client(admin).get("/docs", **from_browser).text


def test_pages_whose_address_is_unknown() -> None:
    """The guide explains that behind a proxy, which may lead to them in its own way."""
    behind_proxy = {"base_url": "https://gate.example", "headers": {"Accept": "text/html"}}

    assert client("127.0.0.1:9000").get("/", **behind_proxy).headers["Location"] == "/docs"
    assert "have an address of their own" in client("127.0.0.1:9000").get("/docs", **behind_proxy).text


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_a_program_gets_an_error_that_names_the_guide(accept: str) -> None:
    response = client().get("/", headers={"Accept": accept})

    assert response.status_code == 404
    assert response.json is not None
    assert "/docs" in response.json["error"]["message"]


ASSET = re.compile(r'(?:href|src)="(/docs/static/[^"]+)"')
MAX_FIRST_LOAD_BYTES = 150_000


@pytest.mark.parametrize("address", ["/docs", "/docs/api", "/docs/cli", "/docs/search?q=redis"])
def test_a_first_load_is_small(address: str) -> None:
    """Of the largest pages, with their styles, scripts and icon, as a browser requests them."""
    visitor, headers = client(), {"Accept-Encoding": "gzip, deflate, br"}
    page = visitor.get(address, headers=headers)
    html = gzip.decompress(page.data).decode()

    assets = (visitor.get(asset, headers=headers, buffered=True) for asset in set(ASSET.findall(html)))
    loaded = [page, *assets]

    assert html == visitor.get(address).text
    assert {one.headers["Content-Encoding"] for one in loaded} == {"gzip"}
    assert sum(len(one.data) for one in loaded) < MAX_FIRST_LOAD_BYTES
