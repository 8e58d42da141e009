"""Everything but what is live works in a browser that runs no scripts."""

from __future__ import annotations

import pytest

from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser


def test_an_account_a_key_and_out(plain: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    plain.open("/accounts/add")
    plain.press("OpenAI-compatible server, such as vLLM or Ollama")
    plain.fill(name="gpu1", base_url=upstream.base_url())
    plain.press("Add account")
    plain.shows("Account gpu1 was added: reachable")

    plain.open("/keys/create")
    plain.fill(name="ci", owner="Ann", models="m", accounts="gpu1", label_1_name="env", label_1_value="prod")
    plain.fill(
        limit_1_amount="5",
        limit_1_unit="requests",
        limit_3_amount="9",
        limit_3_unit="requests",
        limit_3_period="minute",
    )
    plain.press("Create key")
    key = plain.gateway.services.api_keys.find("default", "ci")
    assert [limit.label for limit in key.limits] == ["5 requests per month", "9 requests per minute"]
    secret = plain.find("#secret").text
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    assert pool.post("/v1/chat/completions", body, secret).status_code == 200
    pool.wait_for_rows(1, 30)

    plain.open("/requests")
    plain.shows("not live")
    assert "Z" in plain.find("#requests tbody time").text
    plain.find(".toolbar details summary").click()
    plain.fill(owner="Ann", labels="env=prod")
    plain.press("Apply", within=".filters")
    assert len(plain.all("#requests tbody tr")) == 1
    plain.find("#requests tbody a").click()
    plain.find("dd a[href$='labels=env%3Dprod']").click()  # an address to keep
    assert len(plain.all("#requests tbody tr")) == 1
    assert plain.find("[name=labels]").get_attribute("value") == "env=prod"
    plain.find(".toolbar details summary").click()
    plain.fill(labels="env=test")
    plain.press("Apply", within=".filters")
    plain.shows("No requests found.")

    plain.open("/")
    plain.find(".chart details summary").click()
    plain.shows("Requests, newest first")
    plain.find(".who summary").click()
    plain.press("Sign out", within=".who")
    assert plain.path == "/admin/sign-in"
