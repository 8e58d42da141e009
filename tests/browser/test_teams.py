"""The change of several teams at once, with scripts and without."""

from __future__ import annotations

import pytest

from tests.browser.axe import axe_faults
from tests.browser.chromium import PHONE, Browser
from tests.support.gateway import PoolOfTest

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def teams(pool: PoolOfTest) -> None:
    for name in ("red", "blue"):
        pool.gateway.services.teams.create(pool.name, name)


def states(browser: Browser) -> dict[str, str]:
    return {team.name: team.state for team in browser.gateway.services.teams.all("default")}


@pytest.mark.parametrize("kind", ["inside", "plain"])
def test_selected_teams_are_disabled_after_a_confirmation(kind: str, request: pytest.FixtureRequest) -> None:
    browser: Browser = request.getfixturevalue(kind)
    browser.open("/teams?q=red")
    browser.find("input[name=name][value=red]").click()
    browser.press("Disable", within=".bulk")
    browser.shows("Disable: 1 team")
    browser.press("Disable")

    browser.shows("1 team was disabled.")
    assert browser.path.endswith("/teams?q=red")
    assert states(browser) == {"red": "disabled", "blue": "active"}


@pytest.mark.parametrize("action", ["Enable", "Add a limit", "Set limits of new keys", "Remove"])
def test_the_fields_of_each_change_on_a_phone(action: str, inside: Browser) -> None:
    inside.look(PHONE, dark=True)
    inside.open("/teams")
    inside.find("input[name=name][value=blue]").click()
    inside.press(action, within=".bulk")

    inside.shows(f"{action}: 1 team")
    assert axe_faults(inside) == []
    assert inside.run("return document.documentElement.scrollWidth") <= PHONE[0]
