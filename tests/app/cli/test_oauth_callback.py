"""Where the code of a sign-in arrives."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
import requests

from app.cli.oauth_callback import Callback
from app.errors import InvalidRequest

STATE = "state-1"


@pytest.fixture
def keyboard() -> Iterator[tuple[int, int]]:
    """(what is read as standard input, where a person types)"""
    read, write = os.pipe()
    yield read, write
    for end in (read, write):
        os.close(end)


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def callback(keyboard: tuple[int, int]) -> Iterator[Callback]:
    with Callback(0, STATE, keyboard[0]) as callback:
        yield callback


def open_callback(callback: Callback, query: str) -> int:
    return requests.get(f"{callback.redirect_uri}?{query}", timeout=10).status_code


def test_the_browser_brings_it(callback, messages):
    assert open_callback(callback, f"code=c1&state={STATE}") == 200

    assert callback.wait(10, messages.append) == "c1"


def test_the_address_is_pasted(callback, keyboard, messages):
    os.write(keyboard[1], f"http://127.0.0.1:1455/auth/callback?code=c1&state={STATE}\n".encode())

    assert callback.wait(10, messages.append) == "c1"


def test_a_page_of_another_origin_is_ignored(callback, messages):
    """Without our state a code is not ours, and the wait goes on."""
    assert open_callback(callback, "code=theirs&state=other") == 404
    assert open_callback(callback, "code=theirs") == 404
    assert open_callback(callback, f"code=ours&state={STATE}") == 200

    assert callback.wait(10, messages.append) == "ours"


def test_a_wrong_paste_may_be_put_right(callback, keyboard, messages):
    os.write(keyboard[1], b"http://127.0.0.1:1455/auth/callback?code=c&state=other\n")
    inputs = iter([lambda: os.write(keyboard[1], f"?code=c1&state={STATE}\n".encode())])

    code = callback.wait(10, lambda line: (messages.append(line), next(inputs)()))

    assert code == "c1"
    assert messages == ["That address does not belong to a pending sign-in."]


@pytest.mark.parametrize(("error", "word"), [("access_denied", "access_denied"), ("<script>", "error")])
def test_a_refusal_is_reported(callback, messages, error, word):
    open_callback(callback, f"error={error}&state={STATE}")

    with pytest.raises(InvalidRequest, match=f"refused: {word}$"):
        callback.wait(10, messages.append)


def test_time_is_limited(callback, messages):
    with pytest.raises(InvalidRequest, match="in time"):
        callback.wait(0, messages.append)


def test_a_silent_connection_blocks_no_other(callback, messages):
    """Browsers open connections ahead."""
    host, port = callback.redirect_uri.removeprefix("http://").partition("/")[0].split(":")
    with socket.create_connection((host, int(port))):
        open_callback(callback, f"code=c1&state={STATE}")

    assert callback.wait(10, messages.append) == "c1"


def test_a_taken_port_leaves_the_paste(callback, keyboard, messages):
    port = int(callback.redirect_uri.split(":")[2].partition("/")[0])
    with Callback(port, STATE, keyboard[0]) as second:
        assert not second.listening
        assert second.redirect_uri == callback.redirect_uri
        os.write(keyboard[1], f"?code=c1&state={STATE}\n".encode())

        assert second.wait(10, messages.append) == "c1"


def test_without_standard_input_the_browser_alone_counts(messages):
    with Callback(0, STATE, None) as callback:
        open_callback(callback, f"code=c1&state={STATE}")

        assert callback.wait(10, messages.append) == "c1"
