"""The lists with names of any length: they fit the screen, and their header stays in view."""

from __future__ import annotations

import time

import pytest

from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest
from tests.support.ledger_rows import record_request

pytestmark = pytest.mark.browser

LISTS = ("/", "/accounts", "/keys", "/teams", "/requests", "/usage", "/usage?by=account")
WIDTHS = (768, 1024, 1439, 1440, 1920)
LONG = "a" * 64


def test_long_names(pool: PoolOfTest, inside: Browser) -> None:
    services = inside.gateway.services
    account, _ = pool.account(LONG, "http://127.0.0.1:1/v1"), pool.account("main", "http://127.0.0.1:1/v1")
    services.teams.create(pool.name, LONG, (), ())
    pool.key(LONG, team=LONG, owner="somebody.with.a.long.name@engineering.example.com")
    (key,) = services.api_keys.all(pool.name)
    for number in range(40):
        model = f"organisation/a-long-name-of-a-model-{LONG}" if number else "m"
        ids = {"key": key.id, "account": account.id, "team": LONG}
        record_request(services.scripts, pool.name, time.time(), model=model, **ids)

    faults = []
    for path in LISTS:
        inside.open(path)
        for width in WIDTHS:
            inside.look((width, 700))
            if (page := inside.run("return document.documentElement.scrollWidth")) > width:
                faults.append(f"{path} is {page} wide at {width}")
            faults += [f"{path} at {width}: {fault}" for fault in inside.run(_FAULTS)]

    assert faults == []


def test_the_header_stays(pool: PoolOfTest, inside: Browser) -> None:
    """Where a list is longer than the screen."""
    pool.account("main", "http://127.0.0.1:1/v1")
    for _ in range(40):
        record_request(inside.gateway.services.scripts, pool.name, time.time())
    for width in WIDTHS:
        inside.look((width, 600))
        inside.open("/requests")
        inside.run("window.scrollTo(0, 700)")
        top = inside.run("return document.querySelector('#requests thead th').getBoundingClientRect().top")
        assert abs(top) < 1, f"at {width} px"


# Tables that are wider than their box, which would hide what is beyond it, and names over the next cell.
_FAULTS = """
const wide = [...document.querySelectorAll('.list > table')]
  .filter((one) => one.scrollWidth > one.parentElement.clientWidth + 1)
  .map((one) => `a table of ${one.scrollWidth} in ${one.parentElement.clientWidth}`);
const over = [...document.querySelectorAll('.list tbody th')]
  .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent.trim());
return [...wide, ...over];
"""
