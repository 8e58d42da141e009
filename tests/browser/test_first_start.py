"""From the printed token to the first response, by pages alone."""

from __future__ import annotations

import pytest

from tests.browser.chromium import Browser
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser


def test_from_the_token_to_a_response(browser: Browser, upstream: ScriptedUpstream) -> None:
    upstream.script({"play": "text", "text": "Good morning."})
    token = browser.gateway.services.operator_stores.operators.new_start_token()
    assert token

    browser.open("/admin/")
    browser.fill(
        token=token, name="ann", password="correct horse battery", password_again="correct horse battery"
    )
    browser.press("Start")

    browser.shows("First steps")
    browser.press("Add an account")
    browser.find(".kinds a[href$='kind=compatible']").click()
    browser.fill(name="gpu1", base_url=upstream.base_url())
    browser.press("Add account")
    browser.shows("Account gpu1 was added: reachable")

    browser.open("/admin/p/default/start")
    browser.press("Create a key")
    browser.fill(name="ann", limit_1_amount="100", limit_1_unit="requests", limit_1_period="day")
    browser.press("Create key")
    secret = browser.find("#secret").text
    assert secret.startswith("sk-pg-default-")
    browser.press("Continue")

    browser.fill(key=secret, model="m")
    browser.press("Send")
    browser.shows("Good morning.")
    assert [one.get_attribute("class") for one in browser.all(".path li")] == ["done"] * 3

    browser.open("/keys/ann")
    assert secret not in browser.driver.page_source


def test_a_wrong_token(browser: Browser) -> None:
    """Typed text stays except passwords, and no one can sign in yet."""
    browser.gateway.services.operator_stores.operators.new_start_token()
    browser.open("/admin/first-start")
    browser.fill(
        token="wrong", name="ann", password="correct horse battery", password_again="correct horse battery"
    )
    browser.press("Start")

    browser.shows("Nothing was saved")
    assert browser.find("#name").get_attribute("value") == "ann"
    assert not browser.gateway.services.operator_stores.operators.exist()
