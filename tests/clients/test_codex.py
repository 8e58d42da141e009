"""The Codex CLI works through the gateway: it sends a prompt, runs the command and gets the response."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.clients.agents import Codex, sent_text
from tests.support.gateway import PoolOfTest
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream

pytestmark = [pytest.mark.codex, pytest.mark.timeout(400)]  # the first run installs

COMMAND = "echo 42 > answer.txt && cat answer.txt"


def shell_call(body: dict[str, Any], command: str = COMMAND) -> dict[str, Any]:
    """Return the play that calls whichever shell tool this version of Codex offers in *body*."""
    for tool in body["tools"]:
        tool = tool.get("function", tool)
        properties = tool.get("parameters", {}).get("properties", {})
        for argument in {"cmd", "command"} & properties.keys():
            words: Any = command if properties[argument]["type"] == "string" else ["bash", "-lc", command]
            return {"play": "tool_call", "name": tool["name"], "arguments": {argument: words}}
    raise AssertionError(f"no shell tool among {[tool.get('name') for tool in body['tools']]}")


@pytest.fixture(params=["/v1", "/backend-api/codex"])
def codex(pool: PoolOfTest, tmp_path: Path, request: pytest.FixtureRequest) -> Codex:
    return Codex(tmp_path, pool.gateway.url + request.param, pool.key())


@pytest.fixture(params=["openai", "chat only", "chatgpt"])
def behind(pool: PoolOfTest, upstream: ScriptedUpstream, request: pytest.FixtureRequest) -> str:
    if request.param == "chatgpt":
        base_url = f"{upstream.root_url()}/backend-api"
        pool.account("a", base_url, kind="chatgpt", chatgpt_account_id="acc-1")
    elif request.param == "chat only":
        pool.account("a", upstream.base_url(), kind="compatible", protocols=("chat",))
    else:
        pool.account("a", upstream.base_url())
    return str(request.param)


def test_turns_with_and_without_a_command(
    codex: Codex, behind: str, pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    upstream.script({"play": "text", "text": "Hello there."})

    status, events = codex.send_request("Say hello")

    assert status == 0, events
    assert [item["text"] for item in sent_text(events, "agent_message")] == ["Hello there."]
    (seen,) = upstream.log()
    assert seen.body is not None
    upstream.script(shell_call(seen.body), {"play": "text", "text": "It is 42."})

    status, events = codex.send_request("Find the answer")

    assert status == 0, events
    (command,) = sent_text(events, "command_execution")
    assert (command["exit_code"], command["aggregated_output"]) == (0, "42\n")
    assert (codex.repository / "answer.txt").read_text() == "42\n"
    assert [item["text"] for item in sent_text(events, "agent_message")] == ["It is 42."]
    assert events[-1]["type"] == "turn.completed"
    rows = pool.wait_for_rows(3)
    assert [row["status"] for row in rows] == [200, 200, 200]
    used = events[-1]["usage"]
    assert used["input_tokens"] == sum(row["input_tokens"] for row in rows[1:])
    assert used["output_tokens"] == sum(row["output_tokens"] for row in rows[1:])
    assert pool.open_leases() == 0


PATCH = "*** Begin Patch\n*** Add File: answer.txt\n+42\n*** End Patch"


def test_a_patch_by_a_server_that_knows_only_functions(
    codex: Codex, pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """The custom tool is a function there; its call comes back as the call that Codex can apply."""
    pool.account("a", upstream.base_url(), kind="compatible", protocols=("chat",))
    call = {"play": "tool_call", "name": "apply_patch", "arguments": {"input": PATCH}}
    upstream.script(call, {"play": "text", "text": "Done."})

    status, events = codex.send_request("Write the answer", "-m", "gpt-5.5")

    assert status == 0, events
    (first, second) = upstream.log()
    assert first.body is not None
    assert "apply_patch" in [tool["function"]["name"] for tool in first.body["tools"]]
    assert (codex.repository / "answer.txt").read_text() == "42\n"
    assert second.body is not None
    assert [message["role"] for message in second.body["messages"]][-2:] == ["assistant", "tool"]


def test_a_failure_is_shown_with_the_gateways_message(codex: Codex) -> None:
    status, events = codex.send_request("Say hello")

    assert status != 0
    assert events[-1]["type"] == "turn.failed"
    assert "No upstream accounts are configured in this pool" in events[-1]["error"]["message"]


def test_a_cut_stream_is_not_a_finished_turn(
    codex: Codex, pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "text", "text": "Half of it", "deltas": 4, "at": {"2": [{"reset": True}]}})

    status, events = codex.send_request("Say it all")

    assert status != 0
    assert events[-1]["type"] == "turn.failed"


@pytest.mark.parametrize("run", ["first", "second"])
def test_a_spent_pool_stops_it(
    pool: PoolOfTest, upstream: ScriptedUpstream, tmp_path: Path, run: str
) -> None:
    """With its own retries: it shows its usage message and stops, also when the pool is known to be spent."""
    pool.account("a", upstream.base_url())
    error = {
        "message": "Spent",
        "type": "usage_limit_reached",
        "plan_type": "plus",
        "resets_in_seconds": 43_680,
    }
    upstream.script({"play": "http_error", "status": 429, "body": {"error": error}})
    key = pool.key()
    if run == "second":
        assert pool.post("/v1/responses", {"model": "gpt-5.2", "input": "x"}, key).status_code == 429
    codex = Codex(tmp_path, pool.gateway.url + "/v1", key)
    config = tmp_path / "home" / ".codex" / "config.toml"
    config.write_text(re.sub(r"(request|stream)_max_retries = 0\n", "", config.read_text()))
    before = received(pool)

    began = time.monotonic()
    status, events = codex.send_request("Say hello")

    assert status != 0
    assert "usage limit" in events[-1]["error"]["message"], events
    assert time.monotonic() - began < 60  # with a program that takes seconds to start
    assert eventually(lambda: received(pool) > before, seconds=10)  # refusals are recorded once a second
    assert received(pool) - before <= 2
    assert len(upstream.log()) == 1


def received(pool: PoolOfTest) -> int:
    """How many requests the gateway has recorded: served ones, and refused ones."""
    client: Any = pool.gateway.services.scripts.client
    hours = client.scan_iter(f"pg:{{{pool.name}}}:refused:*")
    return len(pool.rows()) + sum(int(count) for hour in hours for count in client.hvals(hour))
