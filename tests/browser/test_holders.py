"""The pages of a key's holder in a browser: every page at every width, rotation, the end of a session."""

from __future__ import annotations

import pytest

from tests.browser.axe import axe_faults
from tests.browser.chromium import Browser
from tests.browser.pages import HOLDER_PAGES, furnish_holder
from tests.browser.test_accessibility import LOOKS, WIDTHS, refused_by_policy
from tests.browser.words import torn_words
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser
PAGES = HOLDER_PAGES.values()


@pytest.fixture
def secret(browser: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    return furnish_holder(pool, upstream)


@pytest.fixture
def holder(browser: Browser, secret: str) -> Browser:
    """A browser in which the holder of the key has signed in."""
    browser.open("/my")
    browser.fill(key=secret)
    browser.press("Sign in")
    return browser


@pytest.mark.parametrize("look", LOOKS)
def test_every_page(look: str, holder: Browser) -> None:
    size, dark = LOOKS[look]
    holder.look(size, dark=dark)
    faults = []
    for path in PAGES:
        holder.open(path)
        faults += [f"{path}: {each}" for each in (*refused_by_policy(holder), *axe_faults(holder))]

    assert faults == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_the_screen(width: int, holder: Browser) -> None:
    holder.look((width, 900))
    wider = []
    for path in PAGES:
        holder.open(path)
        if (found := holder.run("return document.documentElement.scrollWidth")) > width:
            wider.append(f"{path}: {found} px")
        wider += [f"{path}: {fault}" for fault in torn_words(holder)]

    assert wider == []


def test_what_a_holder_sees(holder: Browser) -> None:
    """Their requests, refused ones too, and no name of an account."""
    holder.open("/my/requests")

    assert len(holder.all("main tbody tr")) == 2
    assert "model_not_allowed" in holder.text
    for path in PAGES:
        holder.open(path)
        assert "hidden-name" not in holder.driver.page_source


def test_snippets_of_clients(holder: Browser) -> None:
    """One is shown, that of the client chosen by its tab."""
    holder.open("/my/clients")
    holder.find("label[for=client-python]").click()

    assert [one.text for one in holder.all(".snippet .small") if one.is_displayed()] == [
        "a program with openai from PyPI"
    ]


def test_a_rotation(holder: Browser, pool: PoolOfTest, secret: str) -> None:
    """The new secret is shown once and works; the old one ends with its overlap of 0 hours."""
    holder.open("/my/rotate")
    holder.fill(hours="0")
    holder.press("Rotate")
    fresh = holder.find(".secret").text

    body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    assert pool.post("/v1/chat/completions", body, fresh).status_code == 200
    assert pool.post("/v1/chat/completions", body, secret).status_code == 401
    assert axe_faults(holder) == []
    holder.open("/my")
    assert fresh not in holder.driver.page_source


def test_a_disabled_key_ends_the_session(holder: Browser, pool: PoolOfTest) -> None:
    pool.gateway.services.api_keys.disable(pool.name, "ann")

    holder.open("/my")

    assert holder.path.startswith("/my/sign-in")


def test_signing_out(holder: Browser) -> None:
    holder.find(".who summary").click()
    holder.press("Sign out", within=".who")
    holder.open("/my")

    assert holder.path.startswith("/my/sign-in")
