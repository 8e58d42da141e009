"""One service and one Chromium for a test process. Each test finds an empty store and no sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Browser, chromium
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.issuer_client import Issuer
from tests.support.redis import private_redis

NAME, PASSWORD = "ann", "correct horse battery"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A server of these tests' own: each empties it, while the gateway runs."""
    with private_redis() as url:
        yield url


@pytest.fixture(scope="session")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, POOLGATE_OAUTH_ISSUER=issuer.url) as running:
        yield running


@pytest.fixture(scope="session")
def chromium_of_session(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield Browser(driver, gateway)


@pytest.fixture
def browser(chromium_of_session: Browser) -> Browser:
    """No one has signed in, and nothing is set up."""
    _empty(chromium_of_session.gateway.services.scripts.client)
    chromium_of_session.start_over()
    chromium_of_session.gateway.services.pools.ensure("default")
    return chromium_of_session


def _empty(client: Any) -> None:
    """
    Delete everything but the marks of settled requests.

    Without its mark, the gateway settles a request of the test before again, as after a failover of Redis.
    """
    names = [name for name in client.scan_iter(count=1000) if ":done:" not in name]
    if names:
        client.delete(*names)


@pytest.fixture
def inside(browser: Browser) -> Browser:
    """A browser with a session."""
    browser.gateway.services.operator_stores.operators.create(NAME, PASSWORD)
    browser.sign_in(NAME, PASSWORD)
    return browser


@pytest.fixture
def plain(browser: Browser, tmp_path: Path) -> Iterator[Browser]:
    """A browser with a session, that runs no scripts of pages."""
    browser.gateway.services.operator_stores.operators.create(NAME, PASSWORD)
    with chromium(tmp_path, scripts=False) as driver:
        made = Browser(driver, browser.gateway)
        made.sign_in(NAME, PASSWORD)
        yield made


@pytest.fixture
def pool(browser: Browser) -> PoolOfTest:
    return PoolOfTest(browser.gateway, "default")
