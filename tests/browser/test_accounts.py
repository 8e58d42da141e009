"""The list of accounts and its forms, with a keyboard, a pointer, and without scripts."""

from __future__ import annotations

import pytest

from tests.browser.axe import axe_faults
from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest

pytestmark = pytest.mark.browser


def states(browser: Browser) -> dict[str, str]:
    return {account.name: account.state for account in browser.gateway.services.accounts.all("default")}


def test_25_accounts_fit_a_screen(inside: Browser, pool: PoolOfTest) -> None:
    for number in range(25):
        pool.account(f"account-{number}", "http://127.0.0.1:9/v1", kind="compatible")
    inside.look((1440, 900))
    inside.open("/accounts")

    rows = inside.all(".accounts tbody tr")
    names = [row.find_element("css selector", "th a").text for row in rows]
    assert names == [f"account-{number}" for number in range(25)]
    lower_edge = inside.run("return arguments[0].getBoundingClientRect().bottom", rows[-1])
    assert lower_edge <= 900


@pytest.mark.parametrize("kind", ["inside", "plain"])
def test_several_are_paused(kind: str, pool: PoolOfTest, request: pytest.FixtureRequest) -> None:
    """With scripts and without: selected, confirmed, and back at the list with its filter."""
    for name in ("gpu1", "gpu2", "main"):
        pool.account(name, "http://127.0.0.1:9/v1", kind="compatible")
    browser: Browser = request.getfixturevalue(kind)
    browser.open("/accounts?q=gpu")

    for name in ("gpu1", "gpu2"):
        browser.find(f"input[name=name][value={name}]").click()
    browser.press("Pause", within=".bulk")
    browser.shows("Pause: 2 accounts")
    if kind == "inside":  # axe needs scripts
        assert axe_faults(browser) == []
    browser.press("Pause")

    browser.shows("2 accounts were paused.")
    assert browser.path.endswith("/accounts?q=gpu")
    assert states(browser) == {"gpu1": "paused", "gpu2": "paused", "main": "active"}


def test_failures_have_names(inside: Browser, pool: PoolOfTest) -> None:
    for name in ("bound", "free"):
        pool.account(name, "http://127.0.0.1:9/v1", kind="compatible")
    bound = inside.gateway.services.accounts.find("default", "bound")
    pool.key("ann", accounts=(bound.id,))
    inside.open("/accounts")

    inside.find("[data-select-all]").click()
    inside.press("Remove", within=".bulk")
    inside.press("Remove")

    inside.shows("1 account was removed. 1 account failed.")
    assert "bound" in inside.find("tbody tr").text
    assert axe_faults(inside) == []
