"""The guard in `tests/conftest.py`."""

from __future__ import annotations

import socket

import pytest


def test_sockets_past_this_machine_are_off():
    with socket.socket() as past, pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"):
        past.connect(("192.0.2.1", 80))


def test_loopback_is_on():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
