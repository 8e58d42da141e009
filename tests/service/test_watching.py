"""Pages that watch a pool: they cost nothing once closed, and delay no restart."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.gateway import Gateway, running_gateway
from tests.support.redis import private_redis

NAME, PASSWORD = "ann", "correct horse battery"
TIMEOUT_SECONDS = 60.0
LOOKS = 3.0  # seconds without a read, after which no page is open: one a second is usual


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway with a Redis of its own, which counts the commands of no other."""
    with (
        private_redis() as url,
        running_gateway(url, tmp_path, workers=1, GRACEFUL_TIMEOUT="300") as gateway,
    ):
        yield gateway


def stream(gateway: Gateway) -> requests.Response:
    """Return what a browser that signed in gets of the live stream."""
    gateway.services.pools.ensure("default")
    gateway.services.operator_stores.operators.create(NAME, PASSWORD)
    browser = requests.Session()
    page = browser.get(f"{gateway.url}/admin/sign-in", timeout=30).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    form = {"name": NAME, "password": PASSWORD, "csrf_token": token[1]}
    browser.post(f"{gateway.url}/admin/sign-in", form, timeout=30)
    response = browser.get(f"{gateway.url}/admin/p/default/live", stream=True, timeout=30)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert next(response.iter_lines()) == b"retry: 2000"
    return response


def looks(client: Any) -> int:
    return int(client.info("commandstats").get("cmdstat_xrevrange", {}).get("calls", 0))


def test_no_reads_once_the_browser_has_left(watched: Gateway) -> None:
    response, client = stream(watched), watched.services.scripts.client
    seen, deadline = looks(client), time.monotonic() + TIMEOUT_SECONDS
    while looks(client) == seen:
        assert time.monotonic() < deadline, "no watcher is connected"
        time.sleep(0.1)

    response.close()

    while time.monotonic() < deadline:
        seen = looks(client)
        time.sleep(LOOKS)
        if looks(client) == seen:
            return
    pytest.fail("a watcher is still connected")


def test_a_watching_page_does_not_hold_up_the_end(watched: Gateway) -> None:
    """The process ends long before its graceful timeout, and the stream with it, as it should."""
    response = stream(watched)

    watched.process.terminate()

    for _ in response.iter_content(1024):
        pass
    assert watched.process.wait(TIMEOUT_SECONDS) == 0
