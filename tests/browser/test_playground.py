"""A conversation in the playground, streamed from an upstream that the test controls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.axe import axe_faults
from tests.browser.chromium import Browser, chromium
from tests.browser.conftest import NAME, PASSWORD
from tests.browser.test_accessibility import WIDTHS
from tests.browser.words import torn_words
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser
MARKUP = "<img src=x onerror=document.title='taken'>"


@pytest.fixture
def playground(inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> Browser:
    """The playground of a pool with a key and an account."""
    pool.account("main", upstream.base_url(), kind="compatible", models=("m1", "m2"))
    pool.key("ann")
    inside.open("/playground")
    return inside


def send(browser: Browser, text: str) -> None:
    browser.find("#message").send_keys(text)
    browser.find("#send").click()


def texts(browser: Browser) -> list[str]:
    return [turn.text for turn in browser.all(".turn .text")]


class TestStream:
    def test_it_comes_piece_by_piece(
        self, playground: Browser, upstream: ScriptedUpstream, pool: PoolOfTest
    ) -> None:
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})

        send(playground, "Hello")

        playground.until(lambda: texts(playground) == ["Hello", "one"], "the first piece")
        assert playground.find("#stop").is_displayed()
        upstream.release("go")
        playground.until(lambda: texts(playground) == ["Hello", "one two"], "the second piece")
        playground.shows("Complete.")
        figures = playground.until(lambda: playground.find("#outcome .figures").text, "figures")
        assert "Tokens in" in figures
        assert "main" in figures
        assert "Account" in figures
        assert not playground.find("#stop").is_displayed()
        assert axe_faults(playground) == []
        for width in WIDTHS:
            playground.look((width, 900))
            assert torn_words(playground) == []
        (row,) = pool.wait_for_rows(1)
        assert row["status"] == 200

    def test_several_turns_by_keyboard(self, playground: Browser, upstream: ScriptedUpstream) -> None:
        """Markup stays text, and what is between fences is code."""
        upstream.script(
            {"play": "text", "text": f"{MARKUP}\n```js\nlet a = 1;\n```\n"}, {"play": "text", "text": "two"}
        )
        playground.find("#message").send_keys("One\n")
        playground.until(lambda: len(playground.all(".turn pre")) == 1, "code")
        assert MARKUP in texts(playground)[1]
        assert playground.find(".turn pre").text == "let a = 1;"
        playground.shows("Complete.")

        playground.find("#message").send_keys("Two\n")

        playground.until(lambda: texts(playground)[2:] == ["Two", "two"], "the second response")
        assert playground.driver.title.startswith("Playground")
        playground.until(lambda: playground.all("#outcome details summary"), "the outcome")
        playground.find("#outcome details summary").click()
        playground.until(lambda: "let a = 1;" in playground.find("#outcome pre").text, "the request as JSON")

    def test_other_endpoint_and_unstreamed(self, playground: Browser, upstream: ScriptedUpstream) -> None:
        upstream.script({"play": "text", "text": "one"}, {"play": "text", "text": "two"})
        playground.fill(endpoint="responses")
        send(playground, "Hello")
        playground.until(lambda: texts(playground) == ["Hello", "one"], "a response")
        playground.shows("Complete.")

        playground.find(".composition summary").click()
        playground.find("#stream").click()
        send(playground, "Again")

        playground.until(lambda: texts(playground)[2:] == ["Again", "two"], "a whole response")

    def test_stop(self, playground: Browser, upstream: ScriptedUpstream, pool: PoolOfTest) -> None:
        """The upstream is left, and the request is recorded as one whose caller disconnected."""
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "never"}]}})
        send(playground, "Hello")
        playground.until(lambda: texts(playground) == ["Hello", "one"], "the first piece")

        playground.find("#stop").click()

        playground.shows("Stopped.")
        (row,) = pool.wait_for_rows(1)
        assert row["status"] == 499
        playground.shows("499 disconnected")
        assert playground.find("#message").get_attribute("value") == ""
        assert texts(playground) == ["Hello", "one"]


class TestErrors:
    def test_before_the_response(self, playground: Browser) -> None:
        """The message is there to be sent again, and the error is explained."""
        playground.find(".composition summary").click()
        playground.fill(other_model="m9")

        send(playground, "Hello")

        playground.until(lambda: "m9" in playground.find("#failure").text, "an error")
        assert playground.find("#message").get_attribute("value") == "Hello"
        link = playground.until(lambda: playground.find("#outcome a[href*='/docs/errors#']"), "a link")
        assert link.text == "What this error means"
        assert axe_faults(playground) == []

    def test_in_the_form(self, playground: Browser) -> None:
        playground.find(".composition summary").click()
        playground.fill(temperature="9")

        send(playground, "Hello")

        playground.shows("temperature must be from 0 to 2")

    def test_in_the_middle(self, playground: Browser, upstream: ScriptedUpstream) -> None:
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"reset": True}]}})

        send(playground, "Hello")

        playground.until(lambda: playground.find("#failure").is_displayed(), "an error")
        assert texts(playground) == ["Hello", "one"]

    def test_the_session_has_ended(self, playground: Browser) -> None:
        playground.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

        send(playground, "Hello")

        playground.shows("Your session has ended: reload this page")


def test_models_of_another_key(playground: Browser, pool: PoolOfTest) -> None:
    pool.key("bob", models=("m2",))
    playground.open("/playground")
    assert [option.text for option in playground.all("#model option")] == ["m1", "m2"]

    playground.fill(key="bob")

    playground.until(lambda: [one.text for one in playground.all("#model option")] == ["m2"], "its models")


@pytest.fixture
def plain(browser: Browser, tmp_path: Path) -> Iterator[Browser]:
    browser.gateway.services.operator_stores.operators.create(NAME, PASSWORD)
    with chromium(tmp_path, scripts=False) as driver:
        made = Browser(driver, browser.gateway)
        made.sign_in(NAME, PASSWORD)
        yield made


def test_without_scripts(plain: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Each message is a form, and the conversation is in the next one."""
    pool.account("main", upstream.base_url(), kind="compatible", models=("m1",))
    pool.key("ann")
    upstream.script({"play": "text", "text": "one"}, {"play": "text", "text": "two"})
    plain.open("/playground")
    plain.fill(message="Hello")
    plain.press("Send")
    assert texts(plain) == ["Hello", "one"]

    plain.fill(message="Again")
    plain.press("Send")

    assert texts(plain) == ["Hello", "one", "Again", "two"]
    plain.shows("How this request was routed")
