"""Answers that are not quite of the protocol: read where they can be, else another account's turn."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.test_answers import PATHS, events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

SSE = {"content-type": "text/event-stream"}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
TURN = {"model": "m", "input": "hi"}
STOP = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def play(*contents: str) -> dict[str, Any]:
    """Return chunks with *contents* as they are between the quotes of JSON."""
    chunks = "".join(
        f'data: {{"id":"c","choices":[{{"index":0,"delta":{{"content":"{content}"}}}}]}}\n\n'
        for content in contents
    )
    return {"headers": SSE, "steps": [{"send": chunks + STOP}]}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("contents", "text"),
    [
        (("Hi \\ud83d", "\\ude00!"), "Hi \U0001f600!"),
        (("Hi \\ud83d", "!"), "Hi \ufffd!"),
        (("a\tb",), "a\tb"),
    ],
)
def test_answer_goes_on(
    pool: PoolOfTest, upstream: ScriptedUpstream, contents: tuple[str, ...], text: str, stream: bool
) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    upstream.script(play(*contents))

    answer = pool.post(PATHS["chat"], {**CHAT, "stream": stream}, pool.key())

    if stream:
        chunks = [event for event in events_of(answer.text) if event != "[DONE]"]
        given = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    else:
        given = answer.json()["choices"][0]["message"]["content"]
    assert (answer.status_code, given) == (200, text)
    assert len(upstream.log()) == 1


@pytest.mark.parametrize("filler", ['"keepalive"', "[]", "5", "null"])
def test_values_without_meaning_are_ignored(
    pool: PoolOfTest, upstream: ScriptedUpstream, filler: str
) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    sent = play("Hello")
    upstream.script({**sent, "steps": [{"send": f"data: {filler}\n\n"}, *sent["steps"]]})

    answer = pool.post(PATHS["chat"], CHAT, pool.key())

    assert answer.json()["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "choices", ["[null]", '[{"index":0,"delta":"x"}]', '[{"delta":{"tool_calls":[null]}}]']
)
def test_another_account_answers(
    pool: PoolOfTest, upstream: ScriptedUpstream, choices: str, stream: bool
) -> None:
    pool.set(policy="ordered")
    for group, name in enumerate("ab"):
        pool.account(name, upstream.base_url(name), group=group, protocols=("chat",))
    odd = {"headers": SSE, "steps": [{"send": f'data: {{"choices":{choices}}}\n\n{STOP}'}]}
    upstream.script(odd, account="a")

    answer = pool.post(PATHS["responses"], {**TURN, "stream": stream}, pool.key())

    assert (answer.status_code, answer.headers["x-poolgate-account"]) == (200, "b")
    assert [seen.account for seen in upstream.log()] == ["a", "b"]


def test_passed_json_is_made_strict(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "json", "body": '{"data":[NaN],"text":"\\ud83d"}'}, path="/embeddings")

    answer = pool.post("/v1/embeddings", {"model": "m", "input": "x"}, pool.key())

    assert answer.json() == {"data": [None], "text": "\ufffd"}
