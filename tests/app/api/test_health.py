"""Probes: liveness never depends on Redis, readiness does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from app.errors import StoreUnavailable
from tests.support.api import FakeServices


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/startup"])
def test_live(path: str) -> None:
    assert FakeServices().client().get(path).json == {"status": "ok"}


def test_ready() -> None:
    assert FakeServices().client().get("/health/ready").json == {"status": "ready"}


def test_not_ready() -> None:
    def reason() -> str:
        raise StoreUnavailable("Redis is away")

    services = FakeServices()
    services.readiness = SimpleNamespace(reason=reason)
    response = services.client().get("/health/ready")

    assert response.status_code == 503
    assert response.json == {"status": "unavailable", "reason": "Redis is away"}
