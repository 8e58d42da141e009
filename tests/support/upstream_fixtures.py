"""Fixtures: `upstream` is a scripted upstream that no other test uses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.support.upstream_client import ScriptedUpstream

_numbers = count(1)


@pytest.fixture(scope="session")
def upstream_process() -> Iterator[ScriptedUpstream]:
    """Yield one process for a session; each xdist worker is a session."""
    process = ScriptedUpstream().start()
    yield process
    process.stop()


@pytest.fixture
def upstream(upstream_process: ScriptedUpstream) -> Iterator[ScriptedUpstream]:
    scoped = upstream_process.scoped(f"t{next(_numbers)}")
    yield scoped
    scoped.reset()
