"""Who gets in, and how everybody gets out."""

from __future__ import annotations

import pyotp
import pytest

from tests.browser.chromium import Browser
from tests.browser.conftest import NAME, PASSWORD

pytestmark = pytest.mark.browser


def test_right(inside: Browser) -> None:
    assert inside.path == "/admin/p/default/start"


def test_back_to_where_somebody_wanted(browser: Browser) -> None:
    browser.gateway.services.doors.operators.create(NAME, PASSWORD)
    browser.open("/keys")
    browser.fill(name=NAME, password=PASSWORD)
    browser.press("Sign in")

    assert browser.path == "/admin/p/default/keys"


def test_wrong(browser: Browser) -> None:
    browser.gateway.services.doors.operators.create(NAME, PASSWORD)
    browser.sign_in(NAME, "wrong horse battery")

    browser.shows("is not right")
    assert browser.find("#name").get_attribute("value") == NAME
    browser.open("/keys")
    assert browser.path.startswith("/admin/sign-in")


def test_locked_out(browser: Browser) -> None:
    """After five wrong tries the right password is of no use for a while."""
    browser.gateway.services.doors.operators.create(NAME, PASSWORD)
    for _ in range(5):
        browser.sign_in(NAME, "wrong horse battery")
    browser.sign_in(NAME, PASSWORD)

    browser.shows("Too many attempts to sign in")


def test_second_factor(browser: Browser) -> None:
    operators = browser.gateway.services.doors.operators
    operators.create(NAME, PASSWORD)
    totp = pyotp.TOTP(operators.begin_second_factor(NAME))
    operators.confirm_second_factor(NAME, totp.at(for_time=_now(), counter_offset=-1))

    browser.sign_in(NAME, PASSWORD)
    browser.shows("is not right")
    browser.sign_in(NAME, PASSWORD, totp.at(for_time=_now()))

    assert browser.path == "/admin/p/default/start"


def _now() -> int:
    import time

    return int(time.time())


def test_out(inside: Browser) -> None:
    inside.find(".who summary").click()
    inside.press("Sign out", within=".who")

    assert inside.path == "/admin/sign-in"
    inside.open("/keys")
    assert inside.path.startswith("/admin/sign-in")
