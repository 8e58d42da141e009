"""`poolgate chat`, over real HTTP to a scripted gateway."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from app.cli import main
from tests.support.ports import free_port

KEY = "sk-pg-default-x"
MODULE = importlib.import_module("app.cli.chat")  # the name in the package is the command
Chat = Callable[..., Result]


class Script:
    """What the gateway answers, and what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.received: list[tuple[str, str | None, dict[str, Any]]] = []

    def chunks(self, *payloads: dict[str, Any], done: bool = True) -> None:
        self.body = b": keep-alive\n\n" + b"".join(b"data: %b\n\n" % orjson.dumps(one) for one in payloads)
        self.body += b"data: [DONE]\n\n" if done else b""


def delta(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(script: Script) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
            script.received.append((self.path, self.headers["authorization"], body))
            self.send_response(script.status)
            self.send_header("x-poolgate-account", "main")
            self.send_header("x-poolgate-request-id", "req_1")
            self.end_headers()
            self.wfile.write(script.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def send_chat(url: str) -> Chat:
    def run(*args: str, stdin: str | None = None, **variables: str | None) -> Result:
        env = {"POOLGATE_KEY": KEY, **variables}
        return CliRunner().invoke(main, ["chat", "--url", url, *args], stdin, env)

    return run


def test_text_on_stdout_and_usage_on_stderr(script: Script, send_chat: Chat) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 1200, "completion_tokens": 2}}
    script.chunks(delta("Hel"), delta("lo"), delta("", "stop"), usage)

    result = send_chat("gpt-5", "Hi")

    assert (result.exit_code, result.stdout) == (0, "Hello\n")
    assert result.stderr == "1,200 tokens in, 2 tokens out; account main; request req_1\n"
    ((path, authorization, body),) = script.received
    assert (path, authorization) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert (body["model"], body["messages"]) == ("gpt-5", [{"role": "user", "content": "Hi"}])


def test_stdin_instructions_and_maximum(script: Script, send_chat: Chat) -> None:
    """The end of the last line of standard input is not sent."""
    script.chunks(delta("x", "length"))

    result = send_chat("gpt-5", "-", "--system", "Be brief", "--max-tokens", "1", stdin="a\nb\n\n")

    body = script.received[0][2]
    assert [message["content"] for message in body["messages"]] == ["Be brief", "a\nb\n"]
    assert body["max_completion_tokens"] == 1
    assert "ended by length" in result.stderr


def test_another_variable(script: Script, send_chat: Chat) -> None:
    script.chunks(delta("x"))

    send_chat("gpt-5", "Hi", "--key-env", "OTHER", OTHER="sk-other")

    assert script.received[0][1] == "Bearer sk-other"


def test_no_key(send_chat: Chat) -> None:
    result = send_chat("gpt-5", "Hi", POOLGATE_KEY=None)

    assert result.exit_code == 2
    assert "POOLGATE_KEY is not set" in result.stderr


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            b'{"error":{"message":"Too fast","code":"rate_limit_exceeded"}}',
            "Too fast (HTTP 429, rate_limit_exceeded)",
        ),
        (b"<html>\x1b[2J", "<html>?[2J (HTTP 429)"),
        (b"", "no message (HTTP 429)"),
        (b'{"error": "odd"}', '{"error": "odd"} (HTTP 429)'),
    ],
)
def test_a_refused_request(script: Script, send_chat: Chat, body: bytes, shown: str) -> None:
    script.status, script.body = 429, body

    result = send_chat("gpt-5", "Hi")

    assert (result.exit_code, result.stdout) == (1, "")
    explained = "account main; see poolgate request explain req_1"
    assert result.stderr == f"Error: {shown}; {explained}\n"


def test_an_error_within_the_stream(script: Script, send_chat: Chat) -> None:
    script.chunks(delta("Hel"), {"error": {"message": "It broke", "code": "upstream_error"}})

    result = send_chat("gpt-5", "Hi")

    assert (result.exit_code, result.stdout) == (1, "Hel")
    assert "It broke (upstream_error)" in result.stderr


def test_a_stream_without_its_end(script: Script, send_chat: Chat) -> None:
    script.chunks(delta("Hel"), done=False)

    result = send_chat("gpt-5", "Hi")

    assert result.exit_code == 1
    assert "The response broke off" in result.stderr


def test_no_gateway(send_chat: Chat) -> None:
    result = send_chat("gpt-5", "Hi", "--url", f"http://127.0.0.1:{free_port()}/v1")

    assert result.exit_code == 1
    assert "(Connection refused): see poolgate up, or --url" in result.stderr


def test_ctrl_c(script: Script, send_chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    script.chunks(delta("Hel"))

    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(MODULE, "_text_of", interrupt)

    result = send_chat("gpt-5", "Hi")

    assert result.exit_code == 130
    assert "Interrupted." in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("stdin", "shown"), [("", "is empty"), ("x" * 20, "has more than 10 bytes")])
def test_bounds_of_stdin(send_chat: Chat, monkeypatch: pytest.MonkeyPatch, stdin: str, shown: str) -> None:
    monkeypatch.setattr(MODULE, "MAX_TEXT_BYTES", 10)

    result = send_chat("gpt-5", "-", stdin=stdin)

    assert result.exit_code == 2
    assert shown in result.stderr
