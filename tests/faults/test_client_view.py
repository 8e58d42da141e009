"""The judge must be reliable: each of these responses violates the protocol, or follows it."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.client_view import Heard, send_request, understood
from tests.faults.responses import (
    SSE,
    Frames,
    frames_of,
    saying,
    sent_twice,
    until_finish,
    without_done,
    without_finish,
)

ENDPOINTS = ("chat", "responses")
ERROR: dict[str, Any] = {"message": "Not now.", "type": "server_error", "code": "stream_incomplete"}


def faults_of(endpoint: str, frames: Frames, *, is_complete: bool = True) -> list[str]:
    return understood(endpoint, Heard(200, SSE, "".join(frames).encode(), is_complete)).faults


def failure(endpoint: str) -> str:
    if endpoint == "chat":
        return f"data: {json.dumps({'error': ERROR})}\n\n"
    return f"data: {json.dumps({'type': 'response.failed', 'response': {'error': ERROR}})}\n\n"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
class TestStreams:
    def test_complete(self, endpoint: str) -> None:
        meaning = understood(
            endpoint, Heard(200, SSE, "".join(frames_of(endpoint, saying("bad"))).encode(), True)
        )

        assert (meaning.finished, meaning.text, meaning.faults) == (True, saying("bad")["text"], [])

    def test_cut(self, endpoint: str) -> None:
        frames = frames_of(endpoint, saying("bad"))

        for place in range(len(frames)):
            assert faults_of(endpoint, frames[:place])
        assert faults_of(endpoint, frames, is_complete=False) == ["the connection broke"]

    def test_failed_honestly(self, endpoint: str) -> None:
        done = ["data: [DONE]\n\n"] if endpoint == "chat" else []
        half = frames_of(endpoint, saying("bad"))[:5]

        assert faults_of(endpoint, [*half, failure(endpoint), *done]) == []

    def test_failed_after_it_had_finished(self, endpoint: str) -> None:
        frames = without_done(frames_of(endpoint, saying("bad")))

        assert "finished and failed" in faults_of(endpoint, [*frames, failure(endpoint)])

    def test_sent_twice(self, endpoint: str) -> None:
        assert faults_of(endpoint, sent_twice(frames_of(endpoint, saying("bad"))))


def test_a_chat_without_its_sentinel() -> None:
    assert faults_of("chat", until_finish(frames_of("chat", saying("bad")))) == [
        "[DONE] is not its one last event"
    ]


def test_a_chat_without_a_finish() -> None:
    assert faults_of("chat", without_finish(frames_of("chat", saying("bad")))) == [
        "neither finished nor failed"
    ]


def test_a_response_that_differs_from_its_deltas() -> None:
    frames = frames_of("responses", saying("bad"))
    lost = next(place for place, frame in enumerate(frames) if "output_text.delta" in frame)

    assert faults_of("responses", frames[:lost] + frames[lost + 1 :]) == [
        "the response differs from its deltas"
    ]


@pytest.mark.parametrize(
    ("head", "is_complete"),
    [("Content-Length: 2", True), ("Content-Length: 3", False), ("Transfer-Encoding: chunked", False)],
)
def test_a_response_that_broke_off(head: str, is_complete: bool) -> None:
    """A process that is killed between head and body has not answered, whatever the head promised."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def response() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(f"HTTP/1.1 503 No\r\n{head}\r\n\r\n{{}}".encode())
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        with ThreadPoolExecutor(1) as server:
            server.submit(response)
            heard = send_request(f"http://127.0.0.1:{listening.getsockname()[1]}", "chat", {}, "k", 30)

    assert (heard.status, heard.is_complete) == (503, is_complete)
