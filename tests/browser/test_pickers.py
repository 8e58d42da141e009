"""Pickers: comboboxes with suggestions, for the mouse, the keyboard and a screen reader."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.axe import axe_faults
from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest

pytestmark = pytest.mark.browser


@pytest.fixture
def form(inside: Browser, pool: PoolOfTest) -> Browser:
    """The form of a new key, in a pool with two accounts and a team."""
    pool.account("main", "http://127.0.0.1:9/v1", kind="compatible", models=("gpt-5", "gpt-5-mini"))
    pool.account("spare", "http://127.0.0.1:9/v1", kind="compatible", models=("gpt-5",))
    inside.gateway.services.teams.create(pool.name, "research")
    inside.open("/keys/create")
    return inside


def chosen(browser: Browser, name: str) -> str:
    return browser.find(f"input[name={name}]").get_attribute("value") or ""


def suggested(browser: Browser, field_id: str) -> list[str]:
    return [one.get_attribute("data-value") or "" for one in browser.all(f"#{field_id}-list [data-value]")]


def test_models_by_keyboard(form: Browser) -> None:
    """Typing filters, arrows and Enter take, a comma ends a pattern, Backspace removes the last one."""
    models = form.find("#models")
    models.send_keys("mini")
    assert suggested(form, "models") == ["gpt-5-mini"]
    assert models.get_attribute("aria-expanded") == "true"

    models.send_keys(Keys.ARROW_DOWN)
    active = models.get_attribute("aria-activedescendant")
    assert form.find(f"#{active}").text.startswith("gpt-5-mini")
    models.send_keys(Keys.ENTER, "o4-*,", "typo", Keys.ENTER)
    assert chosen(form, "models") == "gpt-5-mini, o4-*, typo"
    models.send_keys(Keys.BACKSPACE)

    assert chosen(form, "models") == "gpt-5-mini, o4-*"
    models.send_keys("gpt", Keys.ESCAPE)
    assert models.get_attribute("aria-expanded") == "false"


def test_accounts_by_mouse(form: Browser) -> None:
    """The list shows kind and state; a chosen account is not suggested again, and its chip removes it."""
    form.find("#accounts").click()
    assert form.find("#accounts-list").text.split("\n")[:2] == ["main", "compatible, active"]
    form.find("#accounts-list [data-value=main]").click()
    form.find("#accounts").click()

    assert (chosen(form, "accounts"), suggested(form, "accounts")) == ("main", ["spare"])
    form.find(".picker-chips button[aria-label='Remove main']").click()
    assert chosen(form, "accounts") == ""


def test_what_was_typed_is_sent(form: Browser) -> None:
    """Text that was not taken by Enter counts as well, and a single value needs no list."""
    form.fill(name="ann", team="research")
    form.find("#models").send_keys("gpt-5")
    form.press("Create key")

    key = form.gateway.services.api_keys.find("default", "ann")
    assert (key.models, key.team) == (("gpt-5",), "research")


def test_an_open_list_is_accessible(form: Browser) -> None:
    form.find("#models").send_keys("gpt", Keys.ARROW_DOWN)
    assert axe_faults(form) == []
    form.find("#team").click()
    assert suggested(form, "team") == ["research"]
    assert axe_faults(form) == []


def test_rows_of_limits(form: Browser) -> None:
    """A sentence says what a limit means while it is typed, and a button adds a row."""
    rows = [row for row in form.all(".limit-row") if row.is_displayed()]
    assert len(rows) == 1
    form.fill(name="ann", limit_1_amount="5", limit_1_model="gpt-5*", limit_1_mode="balanced")
    form.shows(
        "At most 5 US dollars per calendar month, for gpt-5*: a request is refused unless its estimate fits"
    )
    form.shows("As text: 5 usd/month for gpt-5* balanced")
    form.fill(limit_1_unit="parallel_requests")
    form.shows("As text: 5 parallel_requests for gpt-5* balanced")
    form.find("[data-rows=limit] > button").click()
    form.fill(limit_2_amount="10", limit_2_unit="requests", limit_2_period="minute")
    form.fill(label_1_name="env", label_1_value="prod", expires_in="30")
    form.press("Create key")

    key = form.gateway.services.api_keys.find("default", "ann")
    assert [limit.label for limit in key.limits] == [
        "5 parallel requests for gpt-5*",
        "10 requests per minute",
    ]
    assert (key.labels, key.expires_at is None) == ((("env", "prod"),), False)
