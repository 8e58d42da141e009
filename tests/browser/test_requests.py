"""The list of requests: its filters, its live rows, and its export."""

from __future__ import annotations

import csv
import io

import pytest
import requests

from tests.browser.axe import axe_faults
from tests.browser.chromium import PHONE, Browser
from tests.browser.test_live import live, send_request
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser


@pytest.fixture
def secrets(inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> dict[str, str]:
    """A pool with a request of each of two keys; their secrets, by name."""
    pool.account("main", upstream.base_url(), kind="compatible", models=("m", "other"))
    made = {name: pool.key(name) for name in ("ann", "bob")}
    for secret in made.values():
        assert send_request(pool, secret) == 200
    pool.wait_for_rows(2, 30)
    return made


def listed(browser: Browser) -> list[str]:
    """Return the keys of the rows."""
    return [cell.text for cell in browser.all("#requests td[data-label=Key]")]


def test_a_chip_removes_its_filter(inside: Browser, secrets: dict[str, str]) -> None:
    inside.open("/requests?key=ann&status=ok")
    assert listed(inside) == ["ann"]
    assert [chip.text.split("\n")[0] for chip in inside.all(".chip")] == ["Key: ann", "Status: answered"]
    assert axe_faults(inside) == []

    inside.press("Key: ann", within=".chips")

    assert sorted(listed(inside)) == ["ann", "bob"]
    assert "key=" not in inside.path
    assert "status=ok" in inside.path


@pytest.mark.parametrize("size", [(360, 800), PHONE, (768, 1024), (1440, 900)])
def test_an_id_has_room_in_its_field(inside: Browser, size: tuple[int, int]) -> None:
    """Also that of a request at a fallback model."""
    inside.look(size)
    inside.open("/requests")
    room = """
        const field = document.getElementById("id");
        field.value = "req_0123456789abcdef01234567-1";
        return [field.scrollWidth <= field.clientWidth, document.documentElement.scrollWidth <= innerWidth];
    """

    assert inside.run(room) == [True, True]


def test_a_cell_adds_a_filter(inside: Browser, secrets: dict[str, str]) -> None:
    inside.open("/requests?status=ok")
    inside.press("bob", within="#requests tbody")

    assert listed(inside) == ["bob"]
    assert "status=ok" in inside.path


def test_the_export_has_the_filters(inside: Browser, secrets: dict[str, str]) -> None:
    inside.open("/requests?key=ann")
    link = inside.find("#requests caption a[download]")
    cookies = {one["name"]: one["value"] for one in inside.driver.get_cookies()}

    exported = requests.get(str(link.get_attribute("href")), cookies=cookies, timeout=10)

    assert exported.headers["Content-Type"].startswith("text/csv")
    assert [row["key"] for row in csv.DictReader(io.StringIO(exported.text))] == ["ann"]


def test_live_rows_match_the_filters(inside: Browser, pool: PoolOfTest, secrets: dict[str, str]) -> None:
    inside.open("/requests?key=bob")
    live(inside)

    assert send_request(pool, secrets["ann"]) == 200
    pool.wait_for_rows(3, 30)
    assert send_request(pool, secrets["bob"]) == 200

    inside.until(lambda: len(listed(inside)) == 2, "the new request of bob")
    assert listed(inside) == ["bob", "bob"]


def test_models_are_suggested(inside: Browser, secrets: dict[str, str]) -> None:
    inside.look(PHONE, dark=True)
    inside.open("/requests")
    options = inside.all("#filter-model-options option")

    assert [one.get_attribute("value") for one in options] == ["m", "other"]
    assert axe_faults(inside) == []
