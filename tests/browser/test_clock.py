"""Times are shown and read in the time zone of the viewer."""

from __future__ import annotations

import pytest

from tests.browser.chromium import Browser
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

pytestmark = pytest.mark.browser


def test_a_search_by_time(inside: Browser, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """What is shown as the time of a request finds it, in a zone that is not the pool's."""
    inside.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    try:
        inside.open("/requests")  # its script names the zone
        pool.account("main", upstream.base_url(), kind="compatible")
        body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
        assert pool.post("/v1/chat/completions", body, pool.key("ann")).status_code == 200
        pool.wait_for_rows(1, 30)

        inside.open("/requests")
        source = inside.driver.page_source
        at = inside.driver.execute_script(
            "const at = new Date(document.querySelector('#requests tbody time').dateTime);"
            "return new Intl.DateTimeFormat('sv', {dateStyle: 'short', timeStyle: 'short'}).format(at)"
        )
        since = at.replace(" ", "T")

        assert "times in Asia/Tokyo" in source
        inside.open(f"/requests?since={since}")
        assert len(inside.all("#requests tbody tr")) == 1
        inside.open(f"/requests?until={since}")
        assert "No request" in inside.text
    finally:
        inside.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})
