"""Rows of forms: added, removed, and the same without scripts."""

from __future__ import annotations

import pytest

from app.admin.pages.forms import Form
from app.admin.pages.limit_rows import meaning, row_fields
from tests.browser.axe import axe_faults
from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest

pytestmark = pytest.mark.browser


def displayed(browser: Browser, noun: str) -> int:
    return len([row for row in browser.all(f"[data-rows='{noun}'] [data-row]") if row.is_displayed()])


def test_headers_of_an_account(inside: Browser, pool: PoolOfTest) -> None:
    """More rows than the page had, one of which is removed again."""
    pool.account("main", "http://127.0.0.1:9/v1", kind="compatible")
    inside.open("/accounts/main/edit")
    inside.find(".more > summary").click()
    assert displayed(inside, "header") == 1
    for _ in range(4):
        inside.find("[data-rows=header] > button").click()
    assert displayed(inside, "header") == 5
    inside.fill(header_1_name="X-A", header_1_value="1", header_3_name="X-C", header_3_value="3")
    inside.fill(header_5_name="X-E", header_5_value="5")
    inside.find("[aria-label='Remove Header 3']").click()
    assert displayed(inside, "header") == 4
    assert axe_faults(inside) == []
    inside.press("Save")

    account = inside.gateway.services.accounts.find("default", "main")
    assert account.settings.headers == {"X-A": "1", "X-E": "5"}


def test_targets_of_a_route(inside: Browser, pool: PoolOfTest) -> None:
    """Models and accounts are suggested in rows that were added, too."""
    pool.account("main", "http://127.0.0.1:9/v1", kind="compatible", models=("gpt-5", "o4"))
    inside.open("/settings/models")
    for _ in range(3):
        inside.find("[data-rows=target] > button").click()
    labels = [one.get_attribute("textContent") for one in inside.all("[data-rows] > button")]
    assert labels == ["Add a target", "Add a default", "Add an override"]
    inside.fill(name="fast", target_1_model="gpt-5", target_4_model="o4", target_4_weight="3")
    inside.fill(target_4_order="shared")
    inside.find("#target_4_accounts").click()
    inside.find("#target_4_accounts-list [data-value=main]").click()
    assert axe_faults(inside) == []
    inside.press("Save")

    (step,) = inside.gateway.services.routes.find("default", "fast").steps
    assert [(target.model, target.weight, len(target.accounts)) for target in step] == [
        ("gpt-5", 1, 0),
        ("o4", 3, 1),
    ]


@pytest.mark.parametrize("unit", ["usd", "requests", "parallel_requests"])
def test_the_meaning_of_an_amount_while_it_is_typed(unit: str, inside: Browser, pool: PoolOfTest) -> None:
    """It is the text of the server, also where the amount is none."""
    inside.open("/keys/create")
    inside.fill(limit_1_unit=unit, limit_1_period="day")
    for amount in ("5", "$1,000.50", "0.000125", "1e3", "much", "-1", "0", "1.5", "1e-9", "9" * 20, ""):
        inside.fill(limit_1_amount=amount)
        form = Form({"limit_1_amount": amount, "limit_1_unit": unit, "limit_1_period": "day"}, *row_fields(1))
        assert inside.find("[data-meaning]").text == meaning(form, "limit_1_"), amount


def test_without_scripts(plain: Browser, pool: PoolOfTest) -> None:
    pool.account("main", "http://127.0.0.1:9/v1", kind="compatible")
    plain.open("/settings/models")
    plain.fill(name="fast", target_1_model="gpt-5", target_2_model="o4", target_2_accounts="nobody")
    plain.press("Save")
    assert "There is no account named 'nobody'" in plain.find("#target_2_accounts-error").text
    plain.fill(target_2_accounts="main")
    plain.press("Save")

    assert len(plain.gateway.services.routes.find("default", "fast").steps) == 2
