"""The demo as a process: what it checks, and its connections."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI

from app.demo.server import connection_handler

KEY = {"authorization": "Bearer demo-key"}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def connection(demo_port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", demo_port, timeout=10)
    yield connection
    connection.close()


def test_models_name_their_owner(client: OpenAI) -> None:
    models = client.models.list().data
    assert "demo" in [model.id for model in models]
    assert {model.owned_by for model in models} == {"poolgate-demo"}


def test_another_key_is_refused(client: OpenAI) -> None:
    with pytest.raises(AuthenticationError) as caught:
        client.with_options(api_key="other").models.list()
    assert caught.value.code == "invalid_api_key"
    assert "other" not in str(caught.value)


def test_a_path_it_does_not_have_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError):
        client.embeddings.create(model="m", input="hi")


def test_a_request_without_a_model_is_refused(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(input="hi")
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/chat/completions", {"model": "m"}, "messages"),
        ("/v1/chat/completions", {"model": "m", "messages": []}, "messages"),
        ("/v1/responses", {"model": "m", "input": 4}, "input"),
        ("/v1/responses", [], None),
    ],
)
def test_a_body_without_content_is_refused(
    connection: http.client.HTTPConnection, path: str, body: object, param: str | None
) -> None:
    connection.request("POST", path, json.dumps(body), KEY)
    answer = connection.getresponse()
    assert answer.status == 400
    assert json.load(answer)["error"]["param"] == param


def test_another_method_is_refused(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/v1/responses", headers=KEY)
    assert connection.getresponse().status == 405


def test_a_connection_serves_many_requests(connection: http.client.HTTPConnection) -> None:
    """Whole answers, streams and refusals all leave it usable."""
    addresses = set()
    for body in [CHAT, {**CHAT, "stream": True}, {"model": "m"}, CHAT]:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), KEY)
        connection.getresponse().read()
        addresses.add(connection.sock.getsockname())
    assert len(addresses) == 1


def test_each_event_is_a_chunk_of_its_own(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": True}), KEY)
    answer = connection.getresponse()
    assert answer.getheader("content-type") == "text/event-stream; charset=utf-8"
    first = answer.read1()
    assert first.startswith(b'data: {"id":"chatcmpl-')
    assert first.endswith(b"\n\n")
    assert answer.read().endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(("text", "pauses"), [("hi", False), ("please be slow", True)])
def test_slow_pauses_after_each_delta(monkeypatch: pytest.MonkeyPatch, text: str, pauses: bool) -> None:
    slept: list[float] = []
    monkeypatch.setattr("app.demo.server.gevent.sleep", slept.append)
    body = json.dumps({"model": "m", "input": text, "stream": True})
    client, server = socket.socketpair()
    with client, server:
        client.sendall(
            "POST /v1/responses HTTP/1.0\r\nauthorization: Bearer k\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}".encode()
        )
        connection_handler("k")(server, None)
        answer = client.recv(1_000_000)
    assert len(slept) == (answer.count(b"event: response.output_text.delta") if pauses else 0)


def test_a_client_that_leaves_takes_nothing_with_it(connection: http.client.HTTPConnection) -> None:
    body = {**CHAT, "messages": [{"role": "user", "content": "slow"}], "stream": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), KEY)
    answer = connection.getresponse()
    assert b"data: " in answer.read1()
    answer.close()
    connection.close()
    connection.request("GET", "/v1/models", headers=KEY)
    assert connection.getresponse().status == 200


def test_bytes_that_are_no_request_are_answered_and_the_connection_closed(demo_port: int) -> None:
    with socket.create_connection(("127.0.0.1", demo_port), timeout=10) as sock:
        sock.sendall(b"nonsense\r\n")
        with sock.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 400 Bad Request\r\n"
            assert b"connection: close\r\n" in answer.read()
