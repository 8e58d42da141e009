"""Fixtures: `issuer` is a sign-in service; its sign-ins are a test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.issuer_client import Issuer


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """One process for a session; each xdist worker is a session of its own."""
    with Issuer() as running:
        yield running
