"""Set-up files: the changes first, then the secrets that were made; in a browser without scripts, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.axe import axe_faults
from tests.browser.chromium import PHONE, WIDE, Browser, chromium
from tests.browser.conftest import NAME, PASSWORD
from tests.support.gateway import PoolOfTest

pytestmark = pytest.mark.browser
CONFIG = str(Path(__file__).parents[1] / "support" / "litellm_config.yaml")
DOCUMENT = """
limits: [500 usd/month]
accounts:
  - name: a-name-of-an-account-that-is-as-long-as-names-may-be-01234567
    kind: compatible
    base_url: http://a-long-name-of-a-server.example.net:8000/a/long/path/of/a/server/v1
    api_key_env: A_LONG_NAME_OF_A_VARIABLE_OF_AN_ACCOUNT_THAT_HAS_A_LONG_NAME
keys: [{name: ann, labels: {env: production}}]
"""


@pytest.fixture
def plain(browser: Browser, tmp_path: Path) -> Iterator[Browser]:
    browser.gateway.services.operator_stores.operators.create(NAME, PASSWORD)
    with chromium(tmp_path, scripts=False) as driver:
        made = Browser(driver, browser.gateway)
        made.sign_in(NAME, PASSWORD)
        yield made


def faults_of(browser: Browser) -> list[str]:
    is_wide = browser.run(
        "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return [*axe_faults(browser), *(["it is wider than the screen"] if is_wide else [])]


def press(browser: Browser, label: str) -> None:
    """Press the button or link with *label*, where it is above the navigation of a phone."""
    script = (
        "for (const one of document.querySelectorAll('main button, main a'))"
        " if (one.textContent === arguments[0]) one.scrollIntoView({block: 'center'})"
    )
    browser.run(script, label)
    browser.press(label)


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_apply(size: tuple[int, int], inside: Browser, pool: PoolOfTest) -> None:
    inside.look(size, dark=False)
    inside.open("/settings")
    press(inside, "Set-up files")
    inside.fill(document=DOCUMENT)
    press(inside, "Show the changes")

    inside.shows("Would add 2 and change 1")
    inside.shows('limits: none → ["500 usd/month"]')
    assert faults_of(inside) == []
    services = inside.gateway.services
    assert services.accounts.all("default") == []
    press(inside, "Apply")
    inside.shows("is needed for a new account or webhook")
    assert faults_of(inside) == []
    inside.fill(**{"secret-A_LONG_NAME_OF_A_VARIABLE_OF_AN_ACCOUNT_THAT_HAS_A_LONG_NAME": "sk-typed"})
    press(inside, "Apply")

    inside.shows("Set-up applied")
    assert faults_of(inside) == []
    secret = inside.find(".secret").text
    assert services.api_keys.authenticate(secret).name == "ann"


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_report_of_litellm(size: tuple[int, int], inside: Browser, pool: PoolOfTest) -> None:
    inside.look(size, dark=True)
    inside.open("/settings/setup/litellm")
    inside.find("#file").send_keys(CONFIG)
    press(inside, "Show the changes")

    inside.shows("anthropic has another API")
    inside.shows("model route 'gpt-5.2'")
    assert faults_of(inside) == []


def test_without_scripts(plain: Browser, pool: PoolOfTest) -> None:
    plain.open("/settings/setup")
    plain.fill(document="keys: [{name: ci}]")
    plain.press("Show the changes")
    plain.press("Apply")

    plain.shows("Shown only once.")
    secret = plain.find(".secret").text
    assert plain.gateway.services.api_keys.authenticate(secret).name == "ci"
