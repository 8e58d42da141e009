"""
Sending to a real server, and reading what arrives when it arrives.

Leaving while waiting needs cooperative sockets, so it is tested on the running service.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from typing import Any

import pytest

from app.accounts.account import Account
from app.accounts.job_results import failed_result
from app.errors import (
    ResponseNotHttp,
    StreamEventTooLarge,
    StreamIncomplete,
    UpstreamProtocolError,
    UpstreamRedirected,
    UpstreamRejected,
    UpstreamUnreachable,
)
from app.upstream.cancellation import Cancellation
from app.upstream.client import PendingResponse, RequestContent, UpstreamClient
from app.upstream.responses import UpstreamResponse
from tests.support.ports import free_port
from tests.support.upstream_client import ScriptedUpstream

pytest_plugins = ["tests.support.upstream_fixtures"]

SSE = {"content-type": "text/event-stream"}
BODY = (
    b'{"model":"m","stream":true,"store":false,"instructions":"",',
    b'"input":[],"messages":[{"role":"user","content":"hi"}]}',
)


@pytest.fixture
def cancellation() -> Cancellation:
    return Cancellation()


def account(base_url: str, kind: str = "openai", **more: Any) -> Account:
    return Account("acct_1", "a", kind, base_url, credential="sk-upstream", version=1, **more)


def post(client: UpstreamClient, to: Account, cancellation: Cancellation, **more: Any) -> PendingResponse:
    content = RequestContent(BODY, **more)
    return client.post(to, "chat", content, headers_timeout_seconds=5.0, cancellation=cancellation)


def read_all(response: UpstreamResponse) -> bytes:
    data = b""
    while more := response.body.read(5):
        data += more
    return data


def answered(sending: PendingResponse, seconds: float = 5) -> UpstreamResponse:
    response = sending.wait(seconds)
    assert response is not None
    return response


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_body_is_read_to_its_end_however_it_is_framed(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation, framing: str
) -> None:
    upstream.script({"status": 200, "headers": SSE, "framing": framing, "steps": [{"send": "data: {}\n\n"}]})

    response = answered(post(client, account(upstream.base_url()), cancellation))

    assert read_all(response) == b"data: {}\n\n"
    assert response.body.complete


def test_events_are_handed_over_as_they_arrive(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    upstream.script(
        {"status": 200, "headers": SSE, "steps": [{"send": "one"}, {"gate": "go"}, {"send": "two"}]}
    )
    body = answered(post(client, account(upstream.base_url()), cancellation)).body

    assert body.read(5) == b"one"
    assert body.read(0.01) is None
    upstream.release("go")
    assert body.read(5) == b"two"


def test_a_finished_connection_serves_the_next_request(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    for _ in range(2):
        response = answered(post(client, account(upstream.base_url()), cancellation))
        read_all(response)
        response.body.finish(1)

    first, second = upstream.wait_for(2)
    assert first.connection == second.connection


def test_a_body_cut_short_is_not_an_end(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    upstream.script({"status": 200, "headers": SSE, "steps": [{"send": "half"}, {"reset": True}]})
    response = answered(post(client, account(upstream.base_url()), cancellation))

    with pytest.raises(StreamIncomplete):
        read_all(response)


def test_unrequested_compression_is_undone(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    packed = b64encode(gzip.compress(b"data: {}\n\n")).decode()
    upstream.script(
        {"status": 200, "headers": {**SSE, "content-encoding": "gzip"}, "steps": [{"send_b64": packed}]}
    )

    response = answered(post(client, account(upstream.base_url()), cancellation))

    assert read_all(response) == b"data: {}\n\n"


def test_compression_that_fails_is_reported(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    upstream.script(
        {"status": 200, "headers": {**SSE, "content-encoding": "gzip"}, "steps": [{"send": "not gzip"}]}
    )
    response = answered(post(client, account(upstream.base_url()), cancellation))

    with pytest.raises(UpstreamProtocolError):
        read_all(response)


def test_a_response_that_inflates_to_too_much_is_refused(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    """A few bytes must not become a gigabyte in this process."""
    packed = b64encode(gzip.compress(b" " * 50_000_000)).decode()
    upstream.script(
        {"status": 200, "headers": {**SSE, "content-encoding": "gzip"}, "steps": [{"send_b64": packed}]}
    )
    response = answered(post(client, account(upstream.base_url()), cancellation))

    with pytest.raises(StreamEventTooLarge):
        read_all(response)


def test_an_upstream_that_goes_on_after_its_end_is_hung_up_on(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    pieces = [{"send": "data: {}\n\n"}, {"gate": "on"}] + [{"send": ": more\n\n"}, {"sleep": 0.01}] * 500
    upstream.script({"status": 200, "headers": SSE, "steps": pieces})
    body = answered(post(client, account(upstream.base_url()), cancellation)).body
    assert body.read(5)
    upstream.release("on")

    body.finish(0.05)

    (seen,) = upstream.wait_for(1, end="any")
    assert seen.end in ("client_closed", "reset")


def test_an_error_response_becomes_its_envelope(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    body = {"error": {"message": "Too many", "type": "requests", "code": "rate_limit_exceeded"}}
    upstream.script({"play": "http_error", "status": 429, "body": body, "headers": {"retry-after": "7"}})

    with pytest.raises(UpstreamRejected) as raised:
        post(client, account(upstream.base_url()), cancellation).wait(5)

    assert raised.value.upstream_status == 429
    assert raised.value.retry_after_seconds == 7


@pytest.mark.parametrize("path", ["/models", "/wham/usage"])
def test_redirect_of_a_small_request_is_reported(
    client: UpstreamClient, upstream: ScriptedUpstream, path: str
) -> None:
    upstream.script({"status": 302, "framing": "length", "headers": {"location": "/x"}}, path=path)

    with pytest.raises(UpstreamRedirected):
        client.get_json(account(upstream.base_url()), path)


def test_list_that_is_not_json_is_not_a_broken_connection(
    client: UpstreamClient, upstream: ScriptedUpstream
) -> None:
    upstream.script({"headers": {"content-type": "text/html"}, "steps": [{"send": "<p>"}]}, path="/models")

    with pytest.raises(UpstreamProtocolError):
        client.get_json(account(upstream.base_url()), "/models")


HEAD = "HTTP/1.1 200 OK\r\n"
UNREADABLE = {
    "words": ("HELLO WORLD, what do you want?\r\n\r\n", "does not speak HTTP"),
    "SSH": ("SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
    "an empty line": ("\r\n\r\n", "does not speak HTTP"),
    "HTTP/2": ("HTTP/2 200 OK\r\n\r\n", "does not speak HTTP"),
    "no status": ("HTTP/1.1 okay\r\n\r\n", "does not speak HTTP"),
    "no line": ("\x00\x01\x02\x03" * 125, "does not speak HTTP"),
    "a long header": (f"{HEAD}X: {'y' * 200_000}\r\n\r\n", "line of more than 64 KiB"),
    "many headers": (HEAD + "Set-Cookie: a=b\r\n" * 140 + "\r\n", "more than 100 headers"),
}


@pytest.mark.parametrize(("sent", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_head_that_is_not_http(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation, sent: str, reason: str
) -> None:
    """The upstream has answered, so the network is not at fault; the same holds for its list of models."""
    play = {"before": [{"send": sent}, {"close": True}]}
    upstream.script(play)
    upstream.script(play, path="/models")

    with pytest.raises(ResponseNotHttp, match=reason) as failed:
        post(client, account(upstream.base_url()), cancellation).wait(5)
    with pytest.raises(ResponseNotHttp, match=reason):
        client.get_json(account(upstream.base_url()), "/models")

    assert failed.value.code == "upstream_protocol_error"
    result = failed_result(failed.value, "openai", 0)
    assert reason in result.reason
    assert result.unanswered


def test_a_closed_port_differs_from_a_broken_response(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    """A request that was never sent can be sent again; one that may have arrived could be billed twice."""
    with pytest.raises(UpstreamUnreachable) as closed:
        post(client, account(f"http://127.0.0.1:{free_port()}/v1"), cancellation).wait(5)
    upstream.script({"before": [{"reset": True}]})
    with pytest.raises(UpstreamUnreachable) as broken:
        post(client, account(upstream.base_url()), cancellation).wait(5)

    assert (closed.value.sent, broken.value.sent) == (False, True)


def test_requests_have_the_originator_and_the_credential(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    answered(post(client, account(upstream.base_url()), cancellation, client_headers={"x-codex-turn": "1"}))

    (seen,) = upstream.wait_for(1)
    assert seen.headers["authorization"] == "Bearer sk-upstream"
    assert seen.headers["user-agent"] == "poolgate/test"
    assert "x-codex-turn" not in seen.headers


def test_a_chatgpt_request_has_the_fields_its_backend_requires(
    client: UpstreamClient, upstream: ScriptedUpstream, cancellation: Cancellation
) -> None:
    to = account(upstream.root_url() + "/backend-api", "chatgpt", chatgpt_account_id="u-1")
    answered(
        client.post(
            to,
            "responses",
            RequestContent(BODY, {"session_id": "s"}),
            headers_timeout_seconds=5,
            cancellation=cancellation,
        )
    )

    (seen,) = upstream.wait_for(1)
    assert seen.path == "/backend-api/codex/responses"
    assert seen.headers["chatgpt-account-id"] == "u-1"
    assert seen.headers["originator"] == "poolgate"
    assert seen.headers["session_id"] == "s"
