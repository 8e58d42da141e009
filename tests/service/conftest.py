"""One running service per test process; each test has a pool of its own in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.issuer_client import Issuer


@pytest.fixture(scope="session")
def redis_url(gateways_redis_url: str) -> str:
    """The server of gateways: other tests empty theirs at any moment."""
    return gateways_redis_url


@pytest.fixture(scope="session")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("home")
    with running_gateway(
        redis_url, home, POOLGATE_OAUTH_ISSUER=issuer.url, POOLGATE_DEMO_KEY="demo"
    ) as running:
        yield running


@pytest.fixture
def pool(gateway: Gateway) -> PoolOfTest:
    return gateway.pool()
