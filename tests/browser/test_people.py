"""An invitation, from the owner who creates it to the person who uses it, and what a viewer sees."""

from __future__ import annotations

import pytest

from app.stores.records.operators import Role
from tests.browser.chromium import Browser
from tests.browser.conftest import PASSWORD

pytestmark = pytest.mark.browser


def test_an_invitation(inside: Browser) -> None:
    inside.open("/admin/security/operators")
    inside.find("a[href='/admin/security/operators/invite']").click()
    inside.fill(label="bea@example.com", password=PASSWORD)
    inside.press("Create link")
    link = inside.find("#secret").text
    inside.open("/admin/security/operators")
    inside.shows("bea@example.com")

    inside.start_over()
    inside.open(link.partition("//")[2].partition("/")[1] + link.partition("//")[2].partition("/")[2])
    inside.shows("invites you to these pages as viewer")
    inside.fill(name="bea", password=PASSWORD, password_again=PASSWORD)
    inside.press("Create your sign-in")

    inside.open("/admin/security")
    inside.shows("Your role is viewer")
    assert inside.gateway.services.operator_stores.operators.find("bea").role is Role.VIEWER


def test_a_viewer_has_no_forms_of_others(browser: Browser) -> None:
    browser.gateway.services.operator_stores.operators.create("vera", PASSWORD, Role.VIEWER)
    browser.sign_in("vera", PASSWORD)

    browser.open("/admin/security")

    assert "Admin tokens" not in browser.find("main").text
    browser.open("/keys/create")
    browser.shows("Your role is viewer")
