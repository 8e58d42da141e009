"""One running service per test process, and its verdicts so far."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.case_runner import CI_SCALE, Score, Setting, Wall, settings_of
from tests.faults.cases import CASES
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream


@pytest.fixture(scope="session")
def redis_url(gateways_redis_url: str) -> str:
    """The server of gateways: other tests empty theirs at any moment."""
    return gateways_redis_url


@pytest.fixture(scope="session")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home) as running:
        yield running


@pytest.fixture
def pool(gateway: Gateway) -> PoolOfTest:
    return gateway.pool()


class Scores:
    """The scores of a case in all its settings, which run at once: they mostly wait."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self._by_case: dict[str, dict[Setting, Score]] = {}

    def of(self, name: str, setting: Setting) -> Score:
        if name not in self._by_case:
            case = CASES[name]
            settings = settings_of(case)
            with ThreadPoolExecutor(len(settings)) as clients:
                scores = clients.map(lambda each: self._wall.score(case, each), settings)
                self._by_case[name] = dict(zip(settings, scores, strict=True))
        return self._by_case[name][setting]


@pytest.fixture(scope="session")
def scores(gateway: Gateway, upstream_process: ScriptedUpstream) -> Scores:
    return Scores(Wall(gateway, upstream_process, CI_SCALE))
