from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask

from app.operators import passwords, totp
from app.wiring import Services
from tests.support.admin import PASSWORD, Visitor, admin_app, services_on


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a hash is tried elsewhere; here there are hundreds."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def services(redis_url: str, redis_client: Any, tmp_path: Path) -> Services:
    return services_on(redis_url, tmp_path)


@pytest.fixture
def app(services: Services) -> Flask:
    return admin_app(services)


@pytest.fixture
def ann(services: Services) -> str:
    """An operator."""
    return services.operator_stores.operators.create("ann", PASSWORD).name


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """A client that is not signed in."""
    return Visitor(app)


@pytest.fixture
def inside(app: Flask, ann: str) -> Visitor:
    """A client that is signed in as ann."""
    visitor = Visitor(app, "192.0.2.2")
    assert visitor.sign_in().status_code == 303
    return visitor


class Later:
    """A clock that stands still, for the second factor alone, whose steps are half a minute."""

    def __init__(self) -> None:
        self._now = time.time()

    def __call__(self, seconds: float) -> None:
        self._now += seconds

    def now(self) -> float:
        return self._now


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    clock = Later()
    monkeypatch.setattr(totp, "now", clock.now)
    return clock
