"""Every page can be read and used in a browser that runs no scripts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.browser.chromium import Browser
from tests.browser.pages import HOLDER_PAGES, PAGES, furnish, furnish_holder
from tests.support.gateway import PoolOfTest
from tests.support.ledger_rows import record_request
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser
DESTRUCTIVE = re.compile(r"^(Remove|Revoke|Delete|Disable|Disconnect|Sign out everywhere)\b")
# What the page shows and offers; elements that only a script would show are left out.
_READ = """
const seen = (one) => one.checkVisibility();
for (const one of document.querySelectorAll('main details')) one.open = true;
const main = document.querySelector('main'), all = (css) => [...main.querySelectorAll(css)];
return {
  title: main.querySelector('h1')?.innerText || '',
  text: main.innerText,
  links: all('a[href]').filter(seen).map((one) => one.href),
  forms: all('form').filter(seen).map((form) => ({
    is_post: form.getAttribute('method') === 'post',
    action: new URL(form.getAttribute('action') || '', location).href,
    token: form.querySelector('[name=csrf_token]')?.value || '',
    fields: [...new FormData(form)].filter(([, value]) => typeof value === 'string'),
    buttons: [...form.querySelectorAll('button')].filter(seen).map((one) => one.innerText.trim()),
    is_bulk: form.matches('.bulk') || Boolean(form.querySelector('.bulk')),
  })),
  idle: all('button[type=button]').filter(seen).map((one) => one.innerText),
};
"""


@pytest.fixture
def furnished(plain: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    """The id of a request; every page has something on it."""
    return furnish(plain, pool, upstream)


@pytest.mark.timeout(400)
def test_every_page(plain: Browser, furnished: str) -> None:
    """It has a heading, its links and filters lead somewhere, and its forms carry a CSRF token."""
    pages = {name: path.replace("ID", furnished) for name, path in PAGES.items()}

    assert faults_on(plain, pages) == []


@pytest.mark.timeout(120)
def test_every_page_of_a_holder(plain: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    secret = furnish_holder(pool, upstream)
    assert faults_on(plain, {"sign in with a key": "/my/sign-in"}) == []
    _sign_in(plain, secret)

    assert faults_on(plain, HOLDER_PAGES) == []


@pytest.mark.timeout(120)
def test_what_a_holder_does(plain: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Sign in, read, rotate the key, and sign out."""
    secret = furnish_holder(pool, upstream)
    key = pool.gateway.services.api_keys.find(pool.name, "ann")
    for _ in range(30):  # more than a page
        record_request(pool.gateway.services.scripts, pool.name, time.time(), key=key.id)
    plain.open("/my/requests")
    assert plain.path == "/my/sign-in"
    _sign_in(plain, "sk-pg-wrong")
    plain.shows("This API key is incomplete or mistyped")
    _sign_in(plain, secret)
    plain.find("nav[aria-label='Time span'] a[href*='7d']").click()
    assert plain.path.startswith("/my?span=7d")

    plain.find("a[href='/my/requests']").click()
    plain.press("Older")
    assert 0 < len(plain.all("main tbody tr")) < 25
    plain.press("Newest")
    assert len(plain.all("main tbody tr")) == 25

    plain.open("/my")
    plain.press("Rotate")
    plain.fill(hours="999")
    plain.press("Rotate")
    plain.shows("must be a whole number of hours, from 0 to 168")
    assert plain.find("[name=hours]").get_attribute("value") == "999"
    plain.fill(hours="0")
    plain.press("Rotate")
    fresh = plain.find("#secret").text
    assert not list(faults_of(plain.run(_READ)))
    plain.press("Continue")
    plain.find(".who summary").click()
    plain.press("Sign out", within=".who")
    assert plain.path == "/my/sign-in"
    _sign_in(plain, fresh)
    plain.shows("Key ann")


def _sign_in(browser: Browser, secret: str) -> None:
    browser.open("/my/sign-in")
    browser.fill(key=secret)
    browser.press("Sign in")


def faults_on(browser: Browser, pages: Mapping[str, str]) -> list[str]:
    """Return what is wrong on *pages*, addresses by name, and the links on them that lead nowhere."""
    faults, links = list[str](), dict[str, str]()
    for name, path in pages.items():
        browser.open(path)
        page = browser.run(_READ)
        faults += [f"{name}: {fault}" for fault in faults_of(page)]
        if not path.endswith(("/nobody", "/nothing")):
            links |= {link: name for link in (*page["links"], *searches(page)) if link not in links}
    return [*faults, *broken(browser, links)]


def faults_of(page: dict[str, Any]) -> Iterator[str]:
    if not page["title"] or len(page["text"]) < len(page["title"]) + 10:
        yield "it has no content"
    if page["idle"]:
        yield f"buttons without effect: {page['idle']}"
    is_question = page["title"].endswith("?")
    for form in page["forms"]:
        if form["is_post"] and not form["token"]:
            yield f"the form {form['action']} has no CSRF token"
        if not form["buttons"] and not form["is_bulk"]:
            yield f"the form {form['action']} has no button"
        for label in form["buttons"]:
            if DESTRUCTIVE.match(label) and not (is_question or form["is_bulk"]):
                yield f"{label!r} acts without a confirmation"


def searches(page: dict[str, Any]) -> Iterator[str]:
    """Yield the addresses that the filters of *page* lead to when they are submitted unchanged."""
    for form in page["forms"]:
        if not form["is_post"]:
            address = form["action"].partition("?")[0]
            yield f"{address}?{urlencode([(name, value) for name, value in form['fields']])}"


def broken(browser: Browser, links: dict[str, str]) -> list[str]:
    """Return the *links* to our own pages that lead nowhere, with the name of the page that has them."""
    found = []
    own = {link.partition("#")[0] for link in links if link.startswith(browser.gateway.url)}
    with requests.Session() as session:
        for cookie in browser.driver.get_cookies():
            session.cookies.set(cookie["name"], cookie["value"])
        for link in sorted(own):
            with session.get(link, timeout=60, stream=True) as response:
                if response.status_code != 200:
                    pages = {name for one, name in links.items() if one.startswith(link)}
                    found.append(f"{link}: {response.status_code}, from {sorted(pages)}")
    return found
