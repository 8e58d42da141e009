"""Fixtures: `issuer` is a sign-in service; a test uses only its own sign-ins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.issuer_client import Issuer


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """Yield one process for a session; each xdist worker is a session."""
    with Issuer() as running:
        yield running
