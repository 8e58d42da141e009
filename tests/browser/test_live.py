"""What changes is seen without a reload."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By

from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser
MARKUP = "<script>document.title='taken'</script>"


def send_request(pool: PoolOfTest, key: str, model: str = "m") -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    return pool.post("/v1/chat/completions", body, key).status_code


def live(browser: Browser) -> None:
    browser.until(lambda: browser.find("#live-state").text == "live", "a live page")


class TestRequests:
    def test_one_appears_and_is_explained(
        self, inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("main", upstream.base_url(), kind="compatible")
        pool.account("spare", upstream.base_url("b"), kind="compatible")
        inside.gateway.services.accounts.pause(pool.name, "spare")
        inside.open("/requests")
        live(inside)
        inside.shows("No requests yet.")

        assert send_request(pool, pool.key("ann")) == 200

        row = inside.until(lambda: inside.find("#requests tbody tr"), "a row")
        assert "ann" in row.text
        assert "200" in row.text
        assert "No requests yet." not in inside.text
        row.find_element(By.TAG_NAME, "a").click()
        inside.shows("Why this account")
        inside.shows("Attempt 1: main")
        assert "spare" in inside.text
        assert "paused" in inside.text

    def test_stored_markup_stays_text(
        self, inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """Also in what a script puts into the page."""
        pool.account("main", upstream.base_url(), kind="compatible")
        inside.open("/requests")
        live(inside)

        send_request(pool, pool.key("ann"), MARKUP)

        inside.shows(MARKUP)
        inside.open("/requests")
        inside.shows(MARKUP)
        rows = inside.driver.find_elements("css selector", "#requests tbody tr")
        # the gateway may just have restored a settlement of an earlier test, whose store was emptied
        (row,) = [each for each in rows if MARKUP in each.text]
        row.find_element("css selector", "a").click()
        inside.shows(MARKUP)
        assert inside.driver.title.startswith("Request")


class TestAccounts:
    def test_in_flight_and_state(self, inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("main", upstream.base_url(), kind="compatible", cap=5)
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
        inside.open("/accounts")
        inside.shows("0 of 5")

        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        with pool.post("/v1/chat/completions", body, pool.key("ann"), stream=True) as response:
            inside.shows("1 of 5")
            upstream.release("go")
            assert response.text.endswith("data: [DONE]\n\n")
        inside.shows("0 of 5")

        inside.gateway.services.accounts.pause(pool.name, "main", "on <b>holiday</b>")

        inside.shows("on <b>holiday</b>")
        assert "paused" in inside.text

    def test_paused_and_resumed_by_hand(
        self, inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("main", upstream.base_url(), kind="compatible")
        inside.open("/accounts")

        inside.find("td summary").click()
        inside.press("Pause", within="td .menu")
        inside.shows("Account main was paused")
        assert pool.states() == {"main": "paused"}

        inside.find("td summary").click()
        inside.press("Resume", within="td .menu")
        inside.shows("Resumed account main")
        assert pool.states() == {"main": "active"}


class TestLimits:
    def test_one_is_hit(self, inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """The bar is full, and the overview has an alert."""
        pool.account("main", upstream.base_url(), kind="compatible")
        inside.open("/keys/create")
        inside.fill(name="ann", limit_1_amount="2", limit_1_unit="requests", limit_1_period="day")
        inside.press("Create key")
        secret = inside.find("#secret").text

        assert [send_request(pool, secret) for _ in range(3)] == [200, 200, 429]
        pool.wait_for_rows(2, 30)

        inside.open("/keys/ann")
        inside.shows("2 used")
        assert inside.find(".bar .full").get_attribute("width") == "100.00"
        inside.open("/")
        inside.shows("has reached its limit 2 requests per day")
