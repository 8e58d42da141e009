"""A page of another origin calls the gateway with `fetch`: Chromium decides what it may read."""

from __future__ import annotations

import pytest

from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser

SCRIPT = """
const [url, key, done] = arguments;
const ask = async (key) => {
  const response = await fetch(url + "/v1/chat/completions", {
    method: "POST",
    headers: {"Authorization": "Bearer " + key, "Content-Type": "application/json", "X-Stainless-OS": "x"},
    body: JSON.stringify({model: "m", stream: true, messages: [{role: "user", content: "Hello"}]}),
  });
  return [response.status, await response.text(), response.headers.get("x-poolgate-request-id")];
};
const outcome = (promise) => promise.then(() => "read", () => "blocked");
(async () => done({
  answer: await ask(key),
  refusal: await ask("sk-pg-unknown"),
  health: await outcome(fetch(url + "/health")),
  admin: await outcome(fetch(url + "/admin")),
}))().catch((error) => done({error: String(error)}));
"""


def test_fetch(browser: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "text", "text": "Good morning."})
    browser.driver.get(f"{upstream.base_url()}/models")

    result = browser.driver.execute_async_script(SCRIPT, browser.gateway.url, pool.key())

    assert "error" not in result, result
    status, text, request_id = result["answer"]
    assert (status, "Good" in text, "[DONE]" in text) == (200, True, True)
    assert request_id.startswith("req_")
    assert result["refusal"][0] == 401
    assert "invalid_api_key" in result["refusal"][1]
    assert (result["health"], result["admin"]) == ("blocked", "blocked")
