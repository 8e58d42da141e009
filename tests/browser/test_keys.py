"""The list of keys, changes of several keys, and the snippets of a key."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.axe import axe_faults
from tests.browser.chromium import PHONE, Browser
from tests.support.gateway import PoolOfTest

pytestmark = pytest.mark.browser


@pytest.fixture
def keys(inside: Browser, pool: PoolOfTest) -> Browser:
    """The list of three keys, one of which is disabled."""
    for name in ("k1", "k2", "k10"):
        pool.key(name, owner="Ann" if name == "k2" else "")
    inside.gateway.services.api_keys.disable("default", "k10")
    inside.open("/keys")
    return inside


def listed(browser: Browser) -> list[str]:
    return [cell.text for cell in browser.all("tbody th[scope=row]")]


def test_filters_and_order_are_in_the_address(keys: Browser) -> None:
    assert listed(keys) == ["k1", "k2", "k10"]
    keys.press("Name", within="thead")
    assert (listed(keys), "sort=-name" in keys.path) == (["k10", "k2", "k1"], True)
    keys.fill(state="active")
    keys.until(lambda: listed(keys) == ["k2", "k1"], "the active keys")
    assert "sort=-name" in keys.path
    keys.find("#q").send_keys("ann", Keys.ENTER)
    keys.until(lambda: listed(keys) == ["k2"], "the key of Ann")


def test_selected_keys_are_disabled_after_a_confirmation(keys: Browser) -> None:
    for name in ("k1", "k2"):
        keys.find(f"input[name=name][value={name}]").click()
    keys.shows("2 selected")
    keys.press("Disable", within=".bulk")
    keys.shows("Disable: 2 keys")
    assert axe_faults(keys) == []
    keys.press("Disable")
    keys.shows("2 keys were disabled.")

    states = {key.name: key.state for key in keys.gateway.services.api_keys.all("default")}
    assert states == {"k1": "disabled", "k10": "disabled", "k2": "disabled"}


@pytest.mark.parametrize("action", ["Set team", "Set a label", "Set expiry", "Add a limit", "Remove"])
def test_the_fields_of_each_change_on_a_phone(action: str, keys: Browser) -> None:
    keys.look(PHONE, dark=True)
    keys.find("input[name=name][value=k1]").click()
    keys.press(action, within=".bulk")

    keys.shows(f"{action}: 1 key")
    assert axe_faults(keys) == []
    assert keys.run("return document.documentElement.scrollWidth") <= PHONE[0]


def test_snippets_are_tabs(keys: Browser) -> None:
    """Those are radio buttons: arrows change the client, also without scripts."""
    keys.open("/keys/k1")
    shown = [one for one in keys.all(".snippet") if one.is_displayed()]
    assert (len(shown), "export POOLGATE_KEY" in shown[0].text) == (1, True)
    keys.find("#client-env").send_keys(Keys.ARROW_RIGHT)
    shown = [one for one in keys.all(".snippet") if one.is_displayed()]
    assert (len(shown), "curl" in shown[0].text) == (1, True)
    keys.find("label[for=client-codex]").click()
    keys.shows("supports_websockets")
