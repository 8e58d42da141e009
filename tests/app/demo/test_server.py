"""The demo as a process: what it checks, and its connections."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from unittest.mock import Mock

import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI

from app.demo.server import PAUSE_SECONDS, wsgi_application

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
    response = connection.getresponse()
    assert response.status == 400
    assert json.load(response)["error"]["param"] == param


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
    response = connection.getresponse()
    assert response.getheader("content-type") == "text/event-stream; charset=utf-8"
    first = response.read1()
    assert first.startswith(b'data: {"id":"chatcmpl-')
    assert first.endswith(b"\n\n")
    assert response.read().endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("text", "pauses"), [("hi", False), ("please be slow", True)])
def test_slow_pauses_for_each_delta(
    monkeypatch: pytest.MonkeyPatch, text: str, pauses: bool, stream: bool
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("app.demo.server.gevent.sleep", slept.append)
    body = json.dumps({"model": "m", "input": text, "stream": stream}).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/responses",
        "HTTP_AUTHORIZATION": "Bearer k",
        "wsgi.input": BytesIO(body),
    }
    sent = b"".join(wsgi_application("k")(environ, Mock()))
    deltas = sent.count(b"event: response.output_text.delta")
    if not pauses:
        assert slept == []
    elif stream:
        assert slept == [PAUSE_SECONDS] * deltas
    else:
        assert slept == [PAUSE_SECONDS * json.loads(sent)["usage"]["output_tokens"]]


def test_a_client_that_leaves_takes_nothing_with_it(connection: http.client.HTTPConnection) -> None:
    body = {**CHAT, "messages": [{"role": "user", "content": "slow"}], "stream": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), KEY)
    response = connection.getresponse()
    assert b"data: " in response.read1()
    response.close()
    connection.close()
    connection.request("GET", "/v1/models", headers=KEY)
    assert connection.getresponse().status == 200


def test_bytes_that_are_no_request_are_answered_and_the_connection_closed(demo_port: int) -> None:
    with socket.create_connection(("127.0.0.1", demo_port), timeout=10) as sock:
        sock.sendall(b"nonsense\r\n")
        with sock.makefile("rb") as response:
            assert response.readline() == b"HTTP/1.1 400 Bad Request\r\n"
            assert b"Connection: close\r\n" in response.read()


def test_a_body_cut_short_ends_the_connection_quietly(demo_port: int) -> None:
    """The process prints nothing about it: the fixture checks."""
    with socket.create_connection(("127.0.0.1", demo_port), timeout=10) as sock:
        head = b"POST /v1/responses HTTP/1.1\r\nauthorization: Bearer demo-key\r\ncontent-length: 9\r\n\r\n"
        sock.sendall(head + b"{")
        sock.shutdown(socket.SHUT_WR)
        with sock.makefile("rb") as response:
            assert response.readline() == b"HTTP/1.1 400 Bad Request\r\n"
            response.read()
