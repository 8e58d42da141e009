"""Starting and ending the demo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from .conftest import ROOT, start_demo


def test_it_ends_when_its_standard_input_closes() -> None:
    """So it never outlives its parent, however that died."""
    with start_demo() as process:
        port = json.loads(process.stdout.readline())["port"]
        process.stdin.close()
        assert process.wait(10) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_it_prints_its_port_and_nothing_more() -> None:
    with start_demo(key="very-secret") as process:
        port = json.loads(process.stdout.readline())["port"]
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"GET /v1/models HTTP/1.1\r\nauthorization: Bearer very-secret\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.stderr.read() == b""


def test_it_listens_on_loopback_alone() -> None:
    with start_demo() as process:
        port = json.loads(process.stdout.readline())["port"]
        with open("/proc/net/tcp") as table:
            listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
        process.stdin.close()
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening


def test_it_does_not_start_without_a_key() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "POOLGATE_DEMO_KEY"}
    ended = subprocess.run(
        [sys.executable, "-m", "app.demo"], cwd=ROOT, env=environment, capture_output=True, check=False
    )
    assert ended.returncode == 2
    assert b"POOLGATE_DEMO_KEY" in ended.stderr


def test_help_names_the_variable_of_its_key() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "app.demo", "--help"], cwd=ROOT, capture_output=True, check=True
    )
    assert b"POOLGATE_DEMO_KEY" in shown.stdout


def test_it_stays_small() -> None:
    """It must not drag in the gateway: `import app` stays free of Flask and Redis."""
    loaded = "import sys, app.demo.__main__; print({'flask', 'redis', 'requests'} & sys.modules.keys())"
    printed = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert printed.stdout.strip() == "set()"
