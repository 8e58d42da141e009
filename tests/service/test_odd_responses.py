"""Responses that are not quite of the protocol: read where they can be, else another account's turn."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.test_model_responses import BODIES, PATHS, events_of, streamed_text, text_of
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
def test_response_goes_on(
    pool: PoolOfTest, upstream: ScriptedUpstream, contents: tuple[str, ...], text: str, stream: bool
) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    upstream.script(play(*contents))

    body = pool.post(PATHS["chat"], {**CHAT, "stream": stream}, pool.key())

    if stream:
        chunks = [event for event in events_of(body.text) if event != "[DONE]"]
        given = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    else:
        given = body.json()["choices"][0]["message"]["content"]
    assert (body.status_code, given) == (200, text)
    assert len(upstream.log()) == 1


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "usage", ["", 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n']
)
def test_a_call_after_stop(pool: PoolOfTest, upstream: ScriptedUpstream, stream: bool, usage: str) -> None:
    """Clients run the call, because its end is the last one."""
    pool.account("a", upstream.base_url(), protocols=("chat",))
    call = '{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}'
    late = f'data: {{"id":"c","choices":[{{"index":0,"delta":{{"tool_calls":[{call}]}}}}]}}\n\n'
    stop, done = STOP.split("data: [DONE]")
    upstream.script({"headers": SSE, "steps": [{"send": f"{stop}{late}{usage}data: [DONE]{done}"}]})

    response = pool.post(PATHS["chat"], {**CHAT, "stream": stream}, pool.key())

    if stream:
        events = events_of(response.text)
        assert events[-1] == "[DONE]"
        reasons = [choice.get("finish_reason") for event in events[:-1] for choice in event["choices"]]
        assert [reason for reason in reasons if reason][-1] == "tool_calls"
    else:
        assert response.json()["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("filler", ['"keepalive"', "[]", "5", "null"])
def test_values_without_meaning_are_ignored(
    pool: PoolOfTest, upstream: ScriptedUpstream, filler: str
) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    sent = play("Hello")
    upstream.script({**sent, "steps": [{"send": f"data: {filler}\n\n"}, *sent["steps"]]})

    body = pool.post(PATHS["chat"], CHAT, pool.key())

    assert body.json()["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "choices",
    [f'[{{"index":0,"delta":{{"content":"x"}},"logprobs":{logprobs}}}]' for logprobs in ("7", '"x"')],
)
def test_another_account_answers(
    pool: PoolOfTest, upstream: ScriptedUpstream, choices: str, stream: bool
) -> None:
    pool.set(policy="ordered")
    for group, name in enumerate("ab"):
        pool.account(name, upstream.base_url(name), group=group, protocols=("chat",))
    odd = {"headers": SSE, "steps": [{"send": f'data: {{"choices":{choices}}}\n\n{STOP}'}]}
    upstream.script(odd, account="a")

    body = pool.post(PATHS["responses"], {**TURN, "stream": stream}, pool.key())

    assert (body.status_code, body.headers["x-poolgate-account"]) == (200, "b")
    assert [seen.account for seen in upstream.log()] == ["a", "b"]


def test_passed_json_is_made_strict(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "json", "body": '{"data":[NaN],"text":"\\ud83d"}'}, path="/embeddings")

    body = pool.post("/v1/embeddings", {"model": "m", "input": "x"}, pool.key())

    assert body.json() == {"data": [None], "text": "\ufffd"}


def completion(**message: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020, "cached_tokens": 900},
    }


def response() -> dict[str, Any]:
    part = {"type": "output_text", "text": "Hello", "annotations": []}
    message = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    usage = {"input_tokens": 1000, "output_tokens": 20, "total_tokens": 1020}
    return {"id": "resp_1", "object": "response", "status": "completed", "output": [message], "usage": usage}


@pytest.mark.parametrize("label", ["application/json", "text/plain", "text/event-stream"])
@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize("endpoint", ["chat", "responses"])
@pytest.mark.parametrize("stream", [True, False])
def test_object_is_streamed(
    pool: PoolOfTest, upstream: ScriptedUpstream, label: str, wire: str, endpoint: str, stream: bool
) -> None:
    pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))
    sent = completion(content="Hello") if wire == "chat" else response()
    upstream.script({"play": "json", "body": sent, "headers": {"content-type": label}})

    served = pool.post(PATHS[endpoint], {**BODIES[endpoint], "stream": stream}, pool.key())

    assert served.status_code == 200
    if stream:
        assert streamed_text(endpoint, events_of(served.text)) == "Hello"
    else:
        assert text_of(endpoint, served.json()) == "Hello"
    (row,) = pool.wait_for_rows(1)
    assert (row["input_tokens"], row["output_tokens"]) == (1000, 20)
    if wire == "chat":
        assert row["cached_tokens"] == 900


@pytest.mark.parametrize("label", ["text/plain", "application/json", "application/octet-stream"])
def test_stream_with_another_label(pool: PoolOfTest, upstream: ScriptedUpstream, label: str) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    upstream.script({**play("Hello"), "headers": {"content-type": label}})

    body = pool.post(PATHS["chat"], {**CHAT, "stream": True}, pool.key())

    assert streamed_text("chat", events_of(body.text)) == "Hello"


WORDS = "the request exceeds the available context size"
ERROR = f'{{"code":400,"message":"{WORDS}","type":"exceed_context_size_error"}}'


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "sent",
    [
        {"headers": SSE, "steps": [{"send": f"error: {ERROR}\n\ndata: [DONE]\n\n"}]},
        {"headers": SSE, "steps": [{"send": f'data: {{"error":{ERROR}}}\n\n'}]},
        {"play": "json", "body": f'{{"error":{ERROR}}}'},
        {"play": "json", "body": f'[{{"error":{ERROR}}}]', "headers": SSE},
    ],
)
def test_error_with_status_200(
    pool: PoolOfTest, upstream: ScriptedUpstream, sent: dict[str, Any], endpoint: str, stream: bool
) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    upstream.script(sent)

    served = pool.post(PATHS[endpoint], {**BODIES[endpoint], "stream": stream}, pool.key())

    assert served.status_code == 400
    assert served.json()["error"]["message"] == WORDS
    assert len(upstream.log()) == 1


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
@pytest.mark.parametrize("stream", [True, False])
def test_empty_finish_reason_is_no_end(
    pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, stream: bool
) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    chunk = 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Half"},"finish_reason":""}]}\n\n'
    upstream.script({"headers": SSE, "steps": [{"send": chunk}]})

    served = pool.post(PATHS[endpoint], {**BODIES[endpoint], "stream": stream}, pool.key())

    if stream:
        assert "stream_incomplete" in served.text
        assert "response.completed" not in served.text
    else:
        assert served.json()["error"]["code"] == "stream_incomplete"


def test_informational_responses_are_skipped(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url(), protocols=("chat",))
    early = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
    upstream.script({**play("Hello"), "before": [{"raw": early}]})

    body = pool.post(PATHS["chat"], CHAT, pool.key())

    assert body.json()["choices"][0]["message"]["content"] == "Hello"
