"""One demo process for a session, and the official SDK pointed straight at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

ROOT = Path(__file__).parents[3]
KEY = "demo-key"


def start_demo(*options: str, key: str = KEY) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.demo", "--until-stdin-closes", *options],
        cwd=ROOT,
        env={**os.environ, "POOLGATE_DEMO_KEY": key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture(scope="session")
def demo_port() -> Iterator[int]:
    with start_demo() as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield json.loads(process.stdout.readline())["port"]
        process.stdin.close()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.fixture
def client(demo_port: int) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"http://127.0.0.1:{demo_port}/v1", api_key=KEY, max_retries=0) as client:
        yield client
