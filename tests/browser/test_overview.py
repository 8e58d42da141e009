"""The overview: charts show their values, figures follow the requests, and it works without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from app.limits.limit_syntax import parse_limit
from tests.browser.chromium import WIDE, Browser, chromium
from tests.browser.conftest import NAME, PASSWORD
from tests.browser.test_live import live, send_request
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser
CHART = "[data-part=chart-requests]"


@pytest.fixture
def used(inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    """A pool with one request; returns the key."""
    pool.account("main", upstream.base_url(), kind="compatible")
    key = pool.key("ann")
    assert send_request(pool, key) == 200
    pool.wait_for_rows(1, 30)
    return key


def hover(browser: Browser, share: float) -> None:
    """Move the pointer to *share* of the width of the chart."""
    plot = browser.find(f"{CHART} svg.plot")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", plot)
    offset = int(plot.rect["width"] * (share - 0.5))
    ActionChains(browser.driver).move_to_element_with_offset(plot, offset, 0).perform()


class TestChart:
    def test_values_on_hover(self, inside: Browser, used: str) -> None:
        inside.look(WIDE)
        inside.open("/")

        hover(inside, 0.99)
        values = inside.find(f"{CHART} .values")
        assert values.text.split("\n")[1:] == ["answered: 1", "errors: 0"]
        assert len(inside.all(f"{CHART} .point")) == 1

        hover(inside, 0.15)
        assert "answered: 0" in values.text
        ActionChains(inside.driver).move_to_element(inside.find("h1")).perform()
        assert not values.is_displayed()
        assert not inside.all(f"{CHART} .point")

    def test_values_by_the_keyboard(self, inside: Browser, used: str) -> None:
        inside.open("/")
        plot = inside.find(f"{CHART} svg.plot")
        inside.run("arguments[0].focus()", plot)
        values = inside.find(f"{CHART} .values")

        plot.send_keys(Keys.END)
        newest = values.text
        assert "answered: 1" in newest
        plot.send_keys(Keys.ARROW_LEFT)
        assert "answered: 0" in values.text
        plot.send_keys(Keys.ARROW_RIGHT)
        assert values.text == newest
        assert values.get_attribute("role") == "status"
        plot.send_keys(Keys.ESCAPE)
        assert not values.is_displayed()


# where the list of accounts begins below the findings, which come and go by themselves
PLACE = """
    const needs = document.querySelector("[data-part=needs]").getBoundingClientRect()
    return Math.round(document.querySelector("#accounts").getBoundingClientRect().top - needs.bottom)
"""


class TestLive:
    def test_figures_follow_the_requests(self, inside: Browser, pool: PoolOfTest, used: str) -> None:
        """Tiles, charts and lists; nothing else on the page moves."""
        inside.open("/")
        live(inside)
        requests = "[data-part=totals] dd"
        assert inside.find(requests).text == "1"
        before = inside.run(PLACE)

        assert send_request(pool, used) == 200

        inside.until(lambda: inside.find(requests).text == "2", "the second request")
        assert "2 requests" in inside.find("[data-part=top-key]").text
        hover(inside, 0.99)
        assert "answered: 2" in inside.find(f"{CHART} .values").text
        assert inside.run(PLACE) == before


def test_without_scripts(
    browser: Browser, pool: PoolOfTest, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    browser.gateway.services.operator_stores.operators.create(NAME, PASSWORD)
    pool.account("main", upstream.base_url(), kind="compatible")
    assert send_request(pool, pool.key("ann")) == 200
    pool.wait_for_rows(1, 30)
    with chromium(tmp_path, scripts=False) as driver:
        plain = Browser(driver, browser.gateway)
        plain.sign_in(NAME, PASSWORD)
        plain.open("/")

        plain.shows("not live")
        plain.find(f"{CHART} details summary").click()
        plain.shows("Requests, newest first")
        assert [one.text for one in plain.all(f"{CHART} tbody tr:first-child td")] == ["1", "0"]
        assert "ann" in plain.find("[data-part=top-key]").text


# findings of which a part is beyond their box, or whose text gets less than a third of it
SQUEEZED = """
    return [...document.querySelectorAll("[data-part=needs] li")]
      .filter((one) => one.scrollWidth > one.clientWidth || one.children[1].offsetWidth < one.clientWidth / 3)
      .map((one) => one.textContent)
"""


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_a_long_remedy(width: int, inside: Browser, pool: PoolOfTest) -> None:
    """It wraps, so that what it is for can be read."""
    pool.account("main", "http://127.0.0.1:1/v1", models=("a-model-without-a-price",))
    inside.gateway.services.limits.add(pool.name, parse_limit("5 usd/month"))
    inside.look((width, 900))
    inside.open("/")

    inside.shows("or make the limit balanced")
    assert inside.run(SQUEEZED) == []


class TestNavigation:
    def test_the_menu_of_a_phone(self, inside: Browser) -> None:
        """Sections beyond the first four are in a menu, which needs no script."""
        inside.look((360, 740))
        inside.open("/accounts")
        shown = [one.text for one in inside.all(".sections > ul > li > a") if one.is_displayed()]
        assert len(shown) == 4
        inside.find(".sections .more summary").click()

        inside.press("Settings", within=".sections .more")
        assert inside.path.endswith("/settings")
        assert "here" in (inside.find(".sections .more").get_attribute("class") or "")
