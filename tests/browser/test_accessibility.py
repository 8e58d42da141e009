"""
axe-core finds nothing on any page, light or dark, wide or on a phone.

No page is wider than the screen, and no word is broken.
"""

from __future__ import annotations

import pytest

from tests.browser.axe import axe_faults
from tests.browser.chromium import PHONE, WIDE, Browser
from tests.browser.pages import PAGES, furnish
from tests.browser.words import torn_words
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser
WIDTHS = (360, 768, 1440, 2560)
LOOKS = {
    "wide, light": (WIDE, False),
    "wide, dark": (WIDE, True),
    "phone, light": (PHONE, False),
    "phone, dark": (PHONE, True),
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("look", LOOKS)
def test_every_page(look: str, inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    request_id = furnish(inside, pool, upstream)
    size, dark = LOOKS[look]
    inside.look(size, dark=dark)
    faults = []
    for name, path in PAGES.items():
        inside.open(path.replace("ID", request_id))
        faults += [f"{name}: {line}" for line in refused_by_policy(inside)]
        faults += [f"{name}: {fault}" for fault in axe_faults(inside)]

    assert faults == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_the_screen(
    width: int, inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    request_id = furnish(inside, pool, upstream)
    inside.look((width, 900))
    wider = []
    for name, path in PAGES.items():
        inside.open(path.replace("ID", request_id))
        inside.run("for (const one of document.querySelectorAll('main details.more')) one.open = true")
        if (found := inside.run("return document.documentElement.scrollWidth")) > width:
            wider.append(f"{name}: {found} px")
        wider += [f"{name}: {fault}" for fault in torn_words(inside)]

    assert wider == []


def refused_by_policy(browser: Browser) -> list[str]:
    """Return what Chromium did not run or show because of the page's content security policy."""
    lines = (entry["message"] for entry in browser.driver.get_log("browser"))  # type: ignore[no-untyped-call]
    return [line for line in lines if "Content Security Policy" in line]


@pytest.mark.parametrize("path", ["/admin/sign-in", "/admin/first-start"])
@pytest.mark.parametrize("look", LOOKS)
def test_the_sign_in_pages(look: str, path: str, browser: Browser) -> None:
    if path == "/admin/sign-in":
        browser.gateway.services.operator_stores.operators.create("ann", "correct horse battery")
    size, dark = LOOKS[look]
    browser.look(size, dark=dark)
    browser.open(path)

    assert browser.path == path
    assert axe_faults(browser) == []
    for width in WIDTHS:
        browser.look((width, 900), dark=dark)
        assert browser.run("return document.documentElement.scrollWidth") <= width
        assert torn_words(browser) == []


def test_a_form_with_faults(inside: Browser) -> None:
    """The message is next to its field, and read with it; the typed text is still there."""
    inside.open("/keys/create")
    inside.fill(name="ann", limit_1_amount="much")
    inside.find("#models").send_keys("gpt-5")
    inside.press("Create key")

    amount = inside.find("#limit_1_amount")
    assert "is not a number" in inside.find("#limit_1_amount-error").text
    assert amount.get_attribute("aria-invalid") == "true"
    assert "limit_1_amount-error" in (amount.get_attribute("aria-describedby") or "")
    assert inside.find("input[name=models]").get_attribute("value") == "gpt-5"
    assert inside.gateway.services.api_keys.all("default") == []
    assert axe_faults(inside) == []


def test_the_keyboard_alone(inside: Browser) -> None:
    """The first stop leads past the navigation, and the focus can be seen."""
    inside.open("/accounts")
    inside.find("body").send_keys("\ue004")
    skip = inside.driver.switch_to.active_element

    assert skip.get_attribute("class") == "skip"
    assert inside.run("return getComputedStyle(arguments[0]).outlineStyle", skip) == "solid"
    skip.send_keys("\ue007")
    inside.until(
        lambda: inside.driver.switch_to.active_element.get_attribute("id") == "main", "the focus in main"
    )
