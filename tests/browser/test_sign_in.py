"""Who gets in, and how everybody gets out."""

from __future__ import annotations

import time

import pytest

from app.stores.records.operators import SignInPolicy
from tests.browser.chromium import Browser
from tests.browser.conftest import NAME, PASSWORD
from tests.support.authenticator import Authenticator

pytestmark = pytest.mark.browser


def test_right(inside: Browser) -> None:
    assert inside.path == "/admin/p/default/start"


def test_back_to_the_requested_page(browser: Browser) -> None:
    browser.gateway.services.operator_stores.operators.create(NAME, PASSWORD)
    browser.open("/keys")
    browser.fill(name=NAME, password=PASSWORD)
    browser.press("Sign in")

    assert browser.path == "/admin/p/default/keys"


def test_wrong(browser: Browser) -> None:
    browser.gateway.services.operator_stores.operators.create(NAME, PASSWORD)
    browser.sign_in(NAME, "wrong horse battery")

    browser.shows("is incorrect")
    assert browser.find("#name").get_attribute("value") == NAME
    browser.open("/keys")
    assert browser.path.startswith("/admin/sign-in")


def test_locked_out(browser: Browser) -> None:
    """After five wrong tries the right password is of no use for a while."""
    browser.gateway.services.operator_stores.operators.create(NAME, PASSWORD)
    for _ in range(5):
        browser.sign_in(NAME, "wrong horse battery")
    browser.sign_in(NAME, PASSWORD)

    browser.shows("Too many attempts to sign in")


def test_second_factor(inside: Browser) -> None:
    """Once a page has turned it on, it is required; each code works once, and so does a recovery code."""
    inside.open("/admin/security/second-factor")
    inside.fill(password=PASSWORD)
    inside.press("Continue")
    totp = Authenticator(inside.find("#secret").text)
    inside.fill(code="000000")
    inside.press("Turn it on")
    inside.shows("must be the code")
    now = totp.at(time.time())
    inside.fill(code=now)
    inside.press("Turn it on")
    recovery = inside.all("main code, main .secret")[0].text.split()[0]

    inside.start_over()
    inside.sign_in(NAME, PASSWORD)
    inside.shows("is incorrect")
    inside.sign_in(NAME, PASSWORD, now)
    inside.shows("is incorrect")
    inside.sign_in(NAME, PASSWORD, recovery)

    assert inside.path == "/admin/p/default/start"


def test_a_second_factor_is_required(inside: Browser) -> None:
    """Each page leads to the one that sets it up, and then on."""
    inside.gateway.services.operator_stores.policy.put(SignInPolicy(second_factor_required=True))
    inside.open("/keys")
    assert inside.path == "/admin/security/second-factor"
    inside.fill(password=PASSWORD)
    inside.press("Continue")
    totp = Authenticator(inside.find("#secret").text)
    inside.fill(code=totp.at(time.time()))
    inside.press("Turn it on")
    inside.find("main .actions a").click()
    inside.shows("The second factor is on")
    inside.open("/admin/security/operators")
    inside.shows("It is required of operators")


def test_out_everywhere(inside: Browser) -> None:
    """Every other browser is out as well, at its next step."""
    sessions = inside.gateway.services.operator_stores.sessions
    other = sessions.open(NAME, address="192.0.2.9", agent="another browser")
    inside.open("/admin/security")
    inside.shows("another browser")

    inside.press("Sign out everywhere")
    inside.press("Sign out everywhere")

    assert inside.path == "/admin/sign-in"
    assert sessions.touch(other) is None
    inside.open("/keys")
    assert inside.path.startswith("/admin/sign-in")


def test_out(inside: Browser) -> None:
    inside.find(".who summary").click()
    inside.press("Sign out", within=".who")

    assert inside.path == "/admin/sign-in"
    inside.open("/keys")
    assert inside.path.startswith("/admin/sign-in")
