"""The WebSocket client of the official `openai` package for Node. `websocket.mjs` does the talking."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import ACCOUNTS, DEMO_KEY, MODELS
from tests.clients.node_packages import node_modules
from tests.support.gateway import Gateway, running_gateway

pytestmark = [pytest.mark.node, pytest.mark.timeout(400)]  # the first run installs

SCRIPT = Path(__file__).with_name("websocket.mjs")
HELLO = 'This is poolgate-demo, a simulated model. You wrote: "Hello"'
FINAL_TEXT = 'poolgate-demo called a function, which returned: "18 degrees"'


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("home")
    settings = {"POOLGATE_WEBSOCKET": "on", "POOLGATE_DEMO_KEY": DEMO_KEY}
    with running_gateway(redis_url, home, workers=1, **settings) as running:
        yield running


@pytest.fixture(scope="module", params=ACCOUNTS)
def results(gateway: Gateway, demo_url: str, request: pytest.FixtureRequest) -> Any:
    """What the SDK made of each scenario."""
    pool = gateway.pool()
    pool.account("a", demo_url, credential=DEMO_KEY, models=MODELS, **ACCOUNTS[request.param])
    environ = {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(node_modules()),
        "BASE_URL": f"{gateway.url}/v1",
        "API_KEY": pool.key(),
    }
    done = subprocess.run(["node", SCRIPT], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def text(events: list[Any]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def test_text(results: Any) -> None:
    for events in results["text"]:
        assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
        assert text(events) == HELLO
        assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_a_tool(results: Any) -> None:
    """Its result alone is sent: the conversation is that of the previous response."""
    assert text(results["tool"]) == FINAL_TEXT


def test_errors(results: Any) -> None:
    """They are events with a status; the connection goes on."""
    (error,) = results["errors"]["tools"]
    assert (error["status"], error["error"]["type"]) == (400, "invalid_request_error")
    (error,) = results["errors"]["previous"]
    assert (error["status"], error["error"]["code"]) == (400, "previous_response_not_found")
    assert text(results["errors"]["afterwards"]) == HELLO


def test_two_lanes(results: Any) -> None:
    assert {lane: text(events) for lane, events in results["lanes"].items()} == {"one": HELLO, "two": HELLO}


def test_a_cancelled_response(results: Any) -> None:
    """Unless it had ended by then; either way the connection goes on."""
    assert results["cancel"]["ended"]["type"] in ("error", "response.completed")
    assert results["cancel"]["afterwards"][0]["type"] == "response.created"
    assert text(results["cancel"]["afterwards"]) == HELLO


def test_a_wrong_key(results: Any) -> None:
    assert results["refused"]["type"] == "error"
    assert "401" in results["refused"]["message"]
