"""The Codex CLI over WebSocket: sessions over one connection, and how it gets over the end of one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.accounts.request_settings import RequestSettings
from tests.clients.agents import BUILT_IN, CONFIG, OVER_WEBSOCKET, Codex, sent_text
from tests.clients.test_codex import shell_call
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream
from tests.support.upstream_websocket import HANDSHAKE
from tests.support.websocket_recorder import Recorded, SocketRecorder, recording_sockets

Json = dict[str, Any]

pytestmark = [pytest.mark.codex, pytest.mark.timeout(400)]  # the first run installs

TURNS = 5
DONE = {"play": "text", "text": "It is done."}


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, POOLGATE_WEBSOCKET="on") as running:
        yield running


@pytest.fixture
def recorder(gateway: Gateway) -> Iterator[SocketRecorder]:
    with recording_sockets(gateway.url) as recorder:
        yield recorder


def codex_of(pool: PoolOfTest, folder: Path, url: str, config: str = CONFIG + OVER_WEBSOCKET) -> Codex:
    return Codex(folder, url + "/v1", pool.key(), config=config)


def offered_tools(codex: Codex, upstream: ScriptedUpstream) -> Json:
    """Return the body of a first request of *codex*."""
    upstream.script({"play": "text", "text": "Hello there."})
    status, events = codex.send_request("Say hello")
    assert status == 0, events
    body = upstream.log()[-1].body
    assert body is not None
    return body


def messages(events: list[Json]) -> list[str]:
    return [item["text"] for item in sent_text(events, "agent_message")]


def faults(recorder: SocketRecorder) -> list[str]:
    return [fault for connection in recorder.connections for fault in connection.faults()]


def commands(number: int) -> list[str]:
    return [f"echo {turn} >> answer.txt && cat answer.txt" for turn in range(number)]


@pytest.mark.parametrize("behind", ["openai", "chat only", "chatgpt"])
def test_a_session_over_one_connection(
    pool: PoolOfTest, upstream: ScriptedUpstream, recorder: SocketRecorder, tmp_path: Path, behind: str
) -> None:
    """The client sends what is new; the account receives the complete conversation."""
    account: Json = {"kind": "openai"}
    base_url = upstream.base_url()
    if behind == "chat only":
        account = {"kind": "compatible", "protocols": ("chat",)}
    elif behind == "chatgpt":
        account, base_url = {"kind": "chatgpt", "chatgpt_account_id": "acc-1"}, upstream.root_url()
        base_url += "/backend-api"
    pool.account("a", base_url, **account)
    codex = codex_of(pool, tmp_path, recorder.url)
    tools = offered_tools(codex, upstream)
    upstream.script(*(shell_call(tools, command) for command in commands(TURNS)), DONE)

    status, events = codex.send_request("Count")

    assert status == 0, events
    assert (codex.repository / "answer.txt").read_text() == "".join(f"{turn}\n" for turn in range(TURNS))
    assert messages(events) == ["It is done."]
    (_, session) = recorder.connections
    assert len(session.generations) == TURNS + 1
    for message in session.generations[1:]:
        assert message["previous_response_id"]
        assert [item["type"] for item in message["input"]] == ["function_call_output"]
    field = "messages" if behind == "chat only" else "input"
    lengths = [len(seen.body[field]) for seen in upstream.log()[-TURNS - 1 :] if seen.body]
    assert lengths == [lengths[0] + 2 * turn for turn in range(TURNS + 1)]
    assert faults(recorder) == []
    assert [row["status"] for row in pool.wait_for_rows(TURNS + 2)] == [200] * (TURNS + 2)
    assert pool.open_leases() == 0


def test_the_built_in_provider(
    pool: PoolOfTest, upstream: ScriptedUpstream, recorder: SocketRecorder, tmp_path: Path
) -> None:
    pool.account("a", upstream.base_url())
    codex = codex_of(pool, tmp_path, recorder.url, BUILT_IN)
    upstream.script(DONE)

    status, events = codex.send_request("Say hello")

    assert (status, messages(events)) == (0, ["It is done."]), events
    (session,) = recorder.connections
    assert len(session.generations) == 1
    assert faults(recorder) == []


def test_a_gateway_without_websockets(
    redis_url: str, upstream: ScriptedUpstream, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It uses HTTP at once, and shows no failure."""
    home = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, workers=1, POOLGATE_WEBSOCKET="off") as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        upstream.script(DONE)
        status, events = codex_of(pool, tmp_path, gateway.url).send_request("Say hello")

        assert (status, messages(events)) == (0, ["It is done."]), events
        assert [event for event in events if event["type"] == "error"] == []
        assert len(pool.wait_for_rows(1)) == 1


def test_a_worker_that_dies(
    pool: PoolOfTest, upstream: ScriptedUpstream, recorder: SocketRecorder, tmp_path: Path
) -> None:
    """In the middle of the second response: another worker serves the whole conversation."""
    pool.account("a", upstream.base_url())
    codex = codex_of(pool, tmp_path, recorder.url)
    tools = offered_tools(codex, upstream)
    half = {"play": "text", "text": "It is", "deltas": 2, "at": {"1": [{"gate": "never"}]}}
    upstream.script(shell_call(tools, commands(1)[0]), half, DONE)

    def kill() -> None:
        upstream.wait_for(gate="never", timeout_seconds=60)
        for worker in pool.gateway.children():
            os.kill(worker, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    status, events = codex.send_request("Count")
    killer.join()

    assert (status, messages(events)[-1]) == (0, "It is done."), events
    assert (codex.repository / "answer.txt").read_text() == "0\n"  # its command ran once
    assert len(recorder.connections) > 2
    first = recorder.connections[-1].generations[0]
    assert first.get("previous_response_id") is None
    assert faults(recorder) == []


def test_an_upstream_that_is_cut(
    pool: PoolOfTest, upstream: ScriptedUpstream, recorder: SocketRecorder, tmp_path: Path
) -> None:
    """The response failed, which the client repeats."""
    pool.account("a", upstream.base_url())
    codex = codex_of(pool, tmp_path, recorder.url)
    half = {"play": "text", "text": "Half of it", "deltas": 4, "at": {"2": [{"reset": True}]}}
    upstream.script(half, DONE)

    status, events = codex.send_request("Say it all")

    assert (status, messages(events)[-1]) == (0, "It is done."), events
    assert faults(recorder) == []
    assert pool.open_leases() == 0


@pytest.mark.parametrize("limit", ["AGE", "IDLE"])
def test_a_connection_that_ends_between_two_responses(
    redis_url: str,
    upstream: ScriptedUpstream,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    limit: str,
) -> None:
    """While a command runs; the next request has the complete input, on another connection."""
    home = tmp_path_factory.mktemp("home")
    settings = {"POOLGATE_WEBSOCKET": "on", f"POOLGATE_WEBSOCKET_{limit}_SECONDS": "5"}
    with (
        running_gateway(redis_url, home, workers=1, **settings) as gateway,
        recording_sockets(gateway.url) as recorder,
    ):
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        codex = codex_of(pool, tmp_path, recorder.url)
        tools = offered_tools(codex, upstream)
        upstream.script(shell_call(tools, "sleep 8 && echo 42 >> answer.txt"), DONE)

        status, events = codex.send_request("Count")

        assert (status, messages(events)) == (0, ["It is done."]), events
        assert (codex.repository / "answer.txt").read_text() == "42\n"
        assert [event for event in events if event["type"] == "error"] == []
        first, second = last_two(recorder)
        assert first.close_code == 1000
        assert "previous_response_id" not in second.generations[0]
        assert faults(recorder) == []


def last_two(recorder: SocketRecorder) -> tuple[Recorded, Recorded]:
    first, second = [each for each in recorder.connections if each.generations][-2:]
    return first, second


@pytest.mark.parametrize("config", [CONFIG + OVER_WEBSOCKET, CONFIG], ids=["WebSocket", "HTTP"])
@pytest.mark.parametrize("kind", ["openai", "chatgpt"])
def test_an_account_over_websocket(
    redis_url: str, upstream: ScriptedUpstream, tmp_path: Path, kind: str, config: str
) -> None:
    """Its upstream is sent what is new of the session, whichever way the client sends it."""
    with running_gateway(redis_url, tmp_path / "gateway", workers=1, POOLGATE_WEBSOCKET="on") as gateway:
        pool = gateway.pool()
        is_chatgpt = kind == "chatgpt"
        base_url = f"{upstream.root_url()}/backend-api" if is_chatgpt else upstream.base_url()
        own = {"chatgpt_account_id": "acc-1"} if is_chatgpt else {}
        pool.account("a", base_url, kind=kind, settings=RequestSettings(websocket="on"), **own)
        codex = codex_of(pool, tmp_path, gateway.url, config)
        tools = offered_tools(codex, upstream)
        upstream.script(*(shell_call(tools, command) for command in commands(TURNS)), DONE)

        status, events = codex.send_request("Count")

        assert status == 0, events
        assert messages(events) == ["It is done."]
        session = [seen for seen in upstream.log() if seen.path != HANDSHAKE][-TURNS - 1 :]
        assert len({seen.connection for seen in session}) == 1
        for seen in session[1:]:
            assert seen.body is not None
            assert seen.body["previous_response_id"]
            assert [item["type"] for item in seen.body["input"]] == ["function_call_output"]
            assert seen.body_bytes < session[0].body_bytes
        assert pool.open_leases() == 0
