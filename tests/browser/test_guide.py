"""The guide in a browser: accessible, within the screen, and found by its search."""

from __future__ import annotations

import pytest

from app.docs.guide import pages
from tests.browser.axe import axe_faults
from tests.browser.chromium import Browser
from tests.browser.test_accessibility import LOOKS, WIDTHS, refused_by_policy
from tests.browser.words import torn_words
from tests.support.gateway import PoolOfTest

pytestmark = pytest.mark.browser
ADDRESSES = ["/docs", *(f"/docs/{name}" for name in pages("/docs")), "/docs/api", "/docs/search?q=redis"]


@pytest.mark.parametrize("look", LOOKS)
def test_every_page(look: str, browser: Browser) -> None:
    size, dark = LOOKS[look]
    browser.look(size, dark=dark)
    faults = []
    for address in ADDRESSES:
        browser.driver.get(browser.gateway.url + address)
        faults += [f"{address}: {line}" for line in refused_by_policy(browser)]
        faults += [f"{address}: {fault}" for fault in axe_faults(browser)]

    assert faults == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_the_screen(width: int, browser: Browser) -> None:
    browser.look((width, 900))
    faults = []
    for address in ADDRESSES:
        browser.driver.get(browser.gateway.url + address)
        if browser.run("return document.documentElement.scrollWidth") > width:
            faults.append(f"{address}: it is wider than the screen")
        faults += [f"{address}: {fault}" for fault in torn_words(browser)]

    assert faults == []


def test_from_the_root_to_a_section(browser: Browser) -> None:
    """The root leads to the pages; a search leads to the section with the words."""
    browser.driver.get(browser.gateway.url)
    assert browser.path.startswith("/admin/")

    browser.driver.get(browser.gateway.url + "/docs")
    browser.fill(q="idempotency-key ten minutes replayed")
    browser.press("Search", within="header")
    browser.shows("sections with words of")
    browser.find("main section a").click()

    assert browser.run("return location.pathname + location.hash") == "/docs/reliability#repeats-of-a-request"
    assert browser.find(":target").text == "Repeats of a request"


def test_an_operation_is_tried_from_the_reference(browser: Browser, pool: PoolOfTest) -> None:
    """The response appears in the page, and the key is stored nowhere."""
    browser.driver.get(browser.gateway.url + "/docs/api#usage_show_v1_usage")
    assert browser.run("return document.querySelector('#usage_show_v1_usage').open")

    browser.run("document.querySelector('#credential').value = arguments[0]", pool.key())
    browser.run("document.querySelector('#usage_show_v1_usage .try details').open = true")
    browser.find("#usage_show_v1_usage .try button").click()

    browser.shows("200 OK")
    browser.shows('"request_count": 0')
    assert browser.run("return localStorage.length + sessionStorage.length + document.cookie.length") == 0


def test_operations_are_found_by_a_field(browser: Browser) -> None:
    browser.driver.get(browser.gateway.url + "/docs/api")
    browser.find("#filter").send_keys("encoding_format")

    browser.shows("1 of ")
    assert [each.text.split()[1] for each in browser.all(".operation") if each.is_displayed()] == [
        "/v1/embeddings"
    ]
