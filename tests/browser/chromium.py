"""A headless Chromium of this machine, driven through its own chromedriver: nothing is downloaded."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.gateway import Gateway

TIMEOUT_SECONDS = 45.0
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en"),
)
WIDE, PHONE = (1280, 900), (390, 844)
T = TypeVar("T")


@contextmanager
def chromium(profile: Path, *, scripts: bool = True) -> Iterator[webdriver.Chrome]:
    """Run one; without *scripts* its pages may not run any, though we still can."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    made = webdriver.Chrome(options=options, service=Service(driver))
    made.set_page_load_timeout(TIMEOUT_SECONDS)
    try:
        yield made
    finally:
        made.quit()


class Browser:
    """What a person does with the pages of one gateway."""

    def __init__(self, driver: webdriver.Chrome, gateway: Gateway) -> None:
        self.driver = driver
        self.gateway = gateway
        self.pool = "default"

    def start_over(self) -> None:
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.look(WIDE)

    def look(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """Be so wide and high, in pixels, and prefer light or dark."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, path: str) -> None:
        """Open a page of the pool, or one of no pool where *path* begins with /admin or /my."""
        self.driver.get(
            self.gateway.url + (path if path.startswith(("/admin", "/my")) else f"/admin/p/{self.pool}{path}")
        )

    @property
    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.gateway.url)

    @property
    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def find(self, css: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def fill(self, **fields: str) -> None:
        """Type into fields, by their names; a choice is made by its value."""
        for name, value in fields.items():
            field = self.driver.find_element(By.NAME, name)
            if field.tag_name == "select":
                field.find_element(By.CSS_SELECTOR, f'option[value="{value}"]').click()
                continue
            field.send_keys(Keys.CONTROL, "a")
            field.send_keys(Keys.DELETE)
            field.send_keys(value)

    def press(self, label: str, within: str = "main") -> None:
        """Press the button or follow the link with *label*, and wait for the next page."""
        before = self.find("html")
        self._clickable(label, within).click()
        self.until(lambda: _gone(before), f"a page after {label!r}")

    def _clickable(self, label: str, within: str) -> WebElement:
        for one in self.find(within).find_elements(By.CSS_SELECTOR, "button, a, summary"):
            if one.text.strip().split("\n")[0] == label and one.is_displayed():
                return one
        raise NoSuchElementException(f"no element has {label!r} on {self.path}:\n{self.text}")

    def until(self, true: Callable[[], T], what: str) -> T:
        """Wait until *true* is, and return what it returned."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            try:
                if found := true():
                    return found
            except (StaleElementReferenceException, NoSuchElementException):
                pass
            time.sleep(0.05)
        pytest.fail(f"waited in vain for {what} on {self.path}:\n{self.text}")

    def shows(self, text: str) -> None:
        """Wait until *text* is to be read."""
        self.until(lambda: text in self.text, repr(text))

    def sign_in(self, name: str, password: str, code: str = "") -> None:
        self.open("/admin/sign-in")
        self.fill(name=name, password=password, code=code)
        self.press("Sign in")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)  # type: ignore[no-untyped-call]


def _gone(element: WebElement) -> bool:
    try:
        element.is_enabled()
    except (StaleElementReferenceException, WebDriverException):
        return True
    return False
