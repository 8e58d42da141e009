"""The guide in a browser: accessible, within the screen, and found by its search."""

from __future__ import annotations

import pytest

from app.docs.guide import pages
from tests.browser.axe import grave_faults
from tests.browser.chromium import Browser
from tests.browser.test_accessibility import LOOKS, refused_by_policy

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
        faults += [f"{address}: {fault}" for fault in grave_faults(browser)]
        if browser.run("return document.documentElement.scrollWidth") > size[0]:
            faults.append(f"{address}: it is wider than the screen")

    assert faults == []


def test_from_the_root_to_a_section(browser: Browser) -> None:
    """The root leads to the pages; a search leads to the section with the words."""
    browser.driver.get(browser.gateway.url)
    assert browser.path.startswith("/admin/")

    browser.driver.get(browser.gateway.url + "/docs")
    browser.fill(q="idempotency-key ten minutes replayed")
    browser.press("Search", within="header")
    browser.shows("1 section with")
    browser.find("main section a").click()

    assert browser.run("return location.pathname + location.hash") == "/docs/reliability#repeats-of-a-request"
    assert browser.find(":target").text == "Repeats of a request"
