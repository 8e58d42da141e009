"""The official `openai` package for Node, pointed at the gateway. `sdk.mjs` does the talking."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import ACCOUNTS, DEMO_KEY, MODELS
from tests.clients.node_packages import node_modules
from tests.support.gateway import Gateway

pytestmark = [pytest.mark.node, pytest.mark.timeout(400)]  # the first run installs

SCRIPT = Path(__file__).with_name("sdk.mjs")
HELLO = 'This is poolgate-demo, a simulated model. You wrote: "Hello"'
FINAL_TEXT = 'poolgate-demo called a function, which returned: "18 degrees"'


@pytest.fixture(scope="module", params=ACCOUNTS)
def results(gateway: Gateway, demo_url: str, request: pytest.FixtureRequest) -> Any:
    """What the SDK made of each scenario."""
    pool = gateway.pool()
    pool.account("a", demo_url, credential=DEMO_KEY, models=MODELS, **ACCOUNTS[request.param])
    environ = {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(node_modules()),
        "GATEWAY_URL": gateway.url,
        "BASE_URL": f"{gateway.url}/v1",
        "API_KEY": pool.key(),
        "LIMITED_KEY": pool.key("limited", models=("gpt-4.1",)),
        "EMPTY_KEY": gateway.pool().key(),
    }
    done = subprocess.run(["node", SCRIPT], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_chat(results: Any) -> None:
    (choice,) = results["chat"]["choices"]

    assert choice["message"]["content"] == HELLO
    assert choice["finish_reason"] == "stop"
    assert results["chat"]["usage"]["total_tokens"] > 0


def test_a_chat_stream(results: Any) -> None:
    *chunks, usage = results["chat_stream"]

    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == HELLO
    assert usage["usage"]["total_tokens"] == results["chat"]["usage"]["total_tokens"]


@pytest.mark.parametrize("name", ["chat_helper", "responses_helper"])
def test_stream_helpers(results: Any, name: str) -> None:
    assert results[name]["final"] == "".join(results[name]["deltas"]) == HELLO


def test_the_tool_runner(results: Any) -> None:
    (arguments,) = results["chat_tools"]["given"]

    assert set(arguments) == {"location"}
    assert results["chat_tools"]["final"] == FINAL_TEXT


def test_responses(results: Any) -> None:
    response = results["responses"]

    assert (response["status"], response["output_text"]) == ("completed", HELLO)
    assert response["request_id"]


def test_a_responses_stream(results: Any) -> None:
    events = results["responses_stream"]

    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] == "response.completed"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_a_tool_on_responses(results: Any) -> None:
    assert results["responses_tools"]["call"]["name"] == "get_weather"
    assert results["responses_tools"]["final"] == FINAL_TEXT


def test_models(results: Any) -> None:
    assert [model["id"] for model in results["models"]["list"]] == list(MODELS)
    assert results["models"]["one"]["id"] == "gpt-4.1"


@pytest.mark.parametrize(("endpoint", "status"), [("basic", 422), ("extended", 400), ("short", 400)])
def test_other_endpoints(results: Any, endpoint: str, status: int) -> None:
    """With the key in a header of their own, which the SDK is given as a default one."""
    heard = results["surfaces"][endpoint]

    assert heard["whole"]["choices"][0]["message"]["content"] == heard["streamed"] == HELLO
    assert (heard["error"]["status"], heard["error"]["param"]) == (status, "messages")
    if endpoint != "basic":
        assert heard["whole"]["extra_fields"]["request_type"] == "chat_completion"


@pytest.mark.parametrize(
    ("status", "name", "code"),
    [
        ("400", "BadRequestError", "invalid_request_error"),
        ("401", "AuthenticationError", "invalid_api_key"),
        ("403", "PermissionDeniedError", "model_not_allowed"),
        ("404", "NotFoundError", "model_not_found"),
        ("503", "InternalServerError", "no_accounts"),
    ],
)
def test_errors(results: Any, status: str, name: str, code: str) -> None:
    error = results["errors"][status]

    assert (error["class"], error["status"], error["code"]) == (name, int(status), code)
    assert error["request_id"]
