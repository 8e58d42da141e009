"""
Coding agents work with every kind of server: they read files, edit one, resume the session and edit it again.

The servers refuse what the real ones refuse (`tests.support.strict`), and nothing that an agent sent may be
missing there unless the gateway names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.translation.requests.missing_state import ANY_SIGNATURE
from tests.clients.agents import Codex, OpenCode
from tests.clients.lost import lost
from tests.clients.recorder import Recorder, recording
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

Json = dict[str, Any]

pytestmark = [pytest.mark.codex, pytest.mark.timeout(800)]  # the first run installs

SERVERS: dict[str, tuple[str, Json]] = {  # the model, and the account
    "responses": ("gpt-5.5", {"protocols": ("responses",)}),
    "chat only": ("gpt-5.5", {"kind": "compatible", "protocols": ("chat",)}),
    "gemini": ("gemini-3-pro", {"kind": "compatible", "protocols": ("chat",)}),
    "deepseek": ("deepseek-reasoner", {"kind": "compatible", "protocols": ("chat",)}),
}
AGENTS = ("codex", "opencode over chat", "opencode over responses")
THINKING = ("responses", "deepseek")
UNRETURNED = {
    ("opencode over chat", "gemini")
}  # its package for chat drops the signatures: a placeholder is sent
FILES = {"question.txt": "What is six times seven?", "unit.txt": "in apples", "answer.txt": "unknown"}


def steps(folder: Path, thinks: bool) -> list[Json]:
    """Return a session: two files are read at once, one is edited; after a second prompt, again."""
    response = str(folder / "answer.txt")
    reads = [{"do": "read", "path": str(folder / name)} for name in ("question.txt", "unit.txt")]
    session: list[Json] = [
        {"text": "Let me look.", "thought": "I need both files.", "calls": reads},
        {
            "thought": "It is 42.",
            "calls": [{"do": "edit", "path": response, "old": "unknown", "new": "forty-two"}],
        },
        {"thought": "Done.", "text": "The answer is in the file."},
        {"thought": "Digits.", "calls": [{"do": "edit", "path": response, "old": "forty-two", "new": "42"}]},
        {"thought": "Done again.", "text": "It has digits now."},
    ]
    return [step if thinks else {**step, "thought": ""} for step in session]


@pytest.fixture
def recorder(pool: PoolOfTest) -> Iterator[Recorder]:
    with recording(pool.gateway.url) as each:
        yield each


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("agent", AGENTS)
def test_a_session(
    agent: str, server: str, pool: PoolOfTest, upstream: ScriptedUpstream, recorder: Recorder, tmp_path: Path
) -> None:
    model, account = SERVERS[server]
    pool.account("a", upstream.base_url(), **account)
    name, _, protocol = agent.partition(" over ")
    about = (tmp_path, f"{recorder.url}/v1", pool.key(), model)
    program = Codex(*about) if name == "codex" else OpenCode(*about, protocol)
    for path, text in FILES.items():
        (program.repository / path).write_text(f"{text}\n")
    script = steps(program.repository, server in THINKING)
    upstream.script({"play": "strict", "server": server, "steps": script})

    status, events = program.send_request("Write the answer into the file")

    assert (status, program.failures(events)) == (0, []), (events, upstream.log())
    assert program.texts(events) == ["Let me look.", "The answer is in the file."]
    assert (program.repository / "answer.txt").read_text() == "forty-two\n"
    refused = refusals(upstream)

    status, events = program.resume("In digits")

    assert (status, program.failures(events)) == (0, []), (events, upstream.log())
    assert program.texts(events) == ["It has digits now."]
    assert (program.repository / "answer.txt").read_text() == "42\n"
    assert len(refused) <= 2
    assert refusals(upstream) == refused, "what the server refuses is not remembered"
    turns = [exchange for exchange in recorder.exchanges if exchange.body.get("tools")]
    assert [exchange.status for exchange in turns] == [200] * 5
    sent = [
        seen.body for seen in upstream.log() if seen.status == 200 and seen.body and seen.body.get("tools")
    ]
    assert len(sent) == 5
    assert all(FILES[path] in str(sent[1]) for path in ("question.txt", "unit.txt"))
    for exchange, body in zip(turns, sent, strict=True):
        assert lost(exchange.body, body, exchange.ignored) == []
    if server == "deepseek":
        assert [thought for thought in thoughts(sent[4]) if thought] == [
            step["thought"] for step in script if step.get("calls")
        ]
    if server == "gemini":
        assert (ANY_SIGNATURE in str(sent[4])) == ((agent, server) in UNRETURNED)
    rows = pool.wait_for_rows(len(recorder.exchanges))
    assert {row["status"] for row in rows} == {200}
    assert pool.open_leases() == 0


def refusals(upstream: ScriptedUpstream) -> list[int]:
    """Return the numbers of the requests that the server refused."""
    return [seen.id for seen in upstream.log() if seen.status == 400]


def thoughts(body: Json) -> list[str]:
    """Return the reasoning of the messages that have calls."""
    return [message["reasoning_content"] for message in body["messages"] if message.get("tool_calls")]
