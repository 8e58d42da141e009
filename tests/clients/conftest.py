"""
A running service and a simulated upstream behind it, as a client meets them.

`served` is a pool whose one account is that upstream; a test that takes it runs once for each
way in which an account may speak, so nothing here may depend on the account's own wire.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.gateway import ROOT, Gateway, PoolOfTest, running_gateway

DEMO_KEY = "demo-key"
MODELS = ("gpt-4.1", "gpt-5.2")
ACCOUNTS: dict[str, dict[str, Any]] = {
    "both": {"kind": "compatible", "protocols": ("chat", "responses")},
    "chat only": {"kind": "compatible", "protocols": ("chat",)},
    "responses only": {"kind": "compatible", "protocols": ("responses",)},
}


@pytest.fixture(scope="session")
def demo_url() -> Iterator[str]:
    """The base URL of a simulated upstream."""
    with subprocess.Popen(
        [sys.executable, "-m", "app.demo", "--until-stdin-closes"],
        cwd=ROOT,
        env={**os.environ, "POOLGATE_DEMO_KEY": DEMO_KEY},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{orjson.loads(process.stdout.readline())['port']}/v1"
        process.stdin.close()


@pytest.fixture(scope="session")
def redis_url(gateways_redis_url: str) -> str:
    """The server of gateways: other tests empty theirs at any moment."""
    return gateways_redis_url


@pytest.fixture(scope="session")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, POOLGATE_DEMO_KEY=DEMO_KEY) as running:
        yield running


@pytest.fixture
def pool(gateway: Gateway) -> PoolOfTest:
    return gateway.pool()


@pytest.fixture(params=ACCOUNTS)
def served(pool: PoolOfTest, demo_url: str, request: pytest.FixtureRequest) -> PoolOfTest:
    pool.account("a", demo_url, credential=DEMO_KEY, models=MODELS, **ACCOUNTS[request.param])
    return pool
